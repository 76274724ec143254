"""The unsubscribe page: a GET that changes nothing, and a POST that always returns 200."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Path, Request
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import HTMLResponse

from app.base import clock
from app.base.errors import AppError
from app.base.log import logger
from app.base.tokens import Tokens
from app.base.web.context import ContextDep, SessionDep
from app.base.web.lookup_limit import get_lookup_limit, rate_limited_page
from app.base.web.middleware import read_body
from app.base.web.openapi import error_pages, request_schema
from app.base.web.pages import browser_language, not_found_page, page
from app.brands.appearance import page_values
from app.brands.find import load_brand
from app.brands.models import Brand
from app.brands.programme import Channel
from app.customers.consent import lift_suppression, suppress, suppressions_of
from app.customers.models import Customer
from app.customers.rules import SuppressionReason

router = APIRouter(tags=["customers"])
log = logger(__name__)
_BODY_LIMIT = 16 * 1024
_FORM = "application/x-www-form-urlencoded"
_FORM_SCHEMA = {
    "type": "object",
    "properties": {
        "List-Unsubscribe": {"type": "string", "enum": ["One-Click"], "description": "RFC 8058."},
        "undo": {"type": "string", "enum": ["1"], "description": "Take the unsubscription back."},
        "sms": {"type": "string", "enum": ["1"], "description": "Stop texts too."},
    },
}
TokenPath = Annotated[str, Path(description="The token of an unsubscribe link.")]


@dataclass(frozen=True, slots=True)
class UnsubscribeRequest:
    """What a POST asks for.

    Any body but our own form's is a plain unsubscription, as RFC 8058 has it.
    """

    undo: bool = False
    texts: bool = False


async def read_request(request: Request) -> UnsubscribeRequest:
    """Parse a body of any kind; one that cannot be parsed asks to unsubscribe."""
    try:
        body = await read_body(request, limit=_BODY_LIMIT, drop_up_to=64 * _BODY_LIMIT)
        fields = parse_qs(body.decode("latin-1"), max_num_fields=20) if _is_form(request) else {}
    except (AppError, ValueError):
        return UnsubscribeRequest()
    return UnsubscribeRequest(undo=fields.get("undo") == ["1"], texts=fields.get("sms") == ["1"])


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


@router.head("/u/{token}", include_in_schema=False)
@router.get(
    "/u/{token}",
    name="show_unsubscribe",
    response_class=HTMLResponse,
    responses=error_pages(404, 429),
)
async def show(token: TokenPath, request: Request, context: ContextDep, session: SessionDep) -> HTMLResponse:
    """Show the brand and one button. Changes nothing: mail scanners open every link."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page(request)
    found = await _find(session, context.tokens, token)
    if found is None:
        get_lookup_limit(request).record_failure(request)
        return not_found_page(request)
    brand, customer = found
    return await _page(session, context.tokens, brand, customer)


@router.post(
    "/u/{token}",
    response_class=HTMLResponse,
    openapi_extra=request_schema(_FORM_SCHEMA, required=False, media_type=_FORM),
)
async def unsubscribe(
    token: TokenPath,
    request: Request,
    context: ContextDep,
    session: SessionDep,
    wanted: Annotated[UnsubscribeRequest, Depends(read_request)],
) -> HTMLResponse:
    """Stop messages to this person, or undo that. Always 200, no cookie, no redirect (RFC 8058)."""
    found = await _find(session, context.tokens, token)
    if found is None:
        return page("unsubscribe_done.html", {}, language=browser_language(request))
    brand, customer = found
    await _apply(session, context.tokens, customer, wanted, now=clock.now())
    log.info("unsubscribe page used", brand=brand.id, customer=str(customer.id), undo=wanted.undo)
    return await _page(session, context.tokens, brand, customer, wanted=wanted)


async def _find(session: AsyncSession, tokens: Tokens, token: str) -> tuple[Brand, Customer] | None:
    subject = tokens.read_link("unsubscribe", token)
    if subject is None:
        return None
    found = await session.execute(
        select(Customer).where(Customer.brand_id == subject.brand_id, Customer.id == subject.row_id)
    )
    customer = found.scalar_one_or_none()
    return None if customer is None else (await load_brand(session, subject.brand_id), customer)


async def _apply(
    session: AsyncSession, tokens: Tokens, customer: Customer, wanted: UnsubscribeRequest, *, now: datetime
) -> None:
    """Stop mail with every request; texts when it names them or there is no e-mail address."""
    texts = wanted.texts or customer.email is None
    for channel, address in (
        (Channel.email, customer.email),
        (Channel.sms, customer.phone if texts else None),
    ):
        if address is None:
            continue
        reason = SuppressionReason.unsubscribed
        if wanted.undo:
            await lift_suppression(session, tokens, customer.brand_id, channel, address, reason, now=now)
        else:
            await suppress(session, tokens, customer.brand_id, channel, [address], reason, now=now)


async def _page(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    customer: Customer,
    *,
    wanted: UnsubscribeRequest | None = None,
) -> HTMLResponse:
    state = await suppressions_of(session, tokens, brand.id, customer.email, customer.phone)
    in_force = [each for each in state if each.lifted_at is None]
    reasons = {channel: {each.reason for each in in_force if each.channel is channel} for channel in Channel}
    address = {Channel.email: customer.email, Channel.sms: customer.phone}
    open_channels = [channel for channel in Channel if address[channel] and not reasons[channel]]
    own = [channel for channel, why in reasons.items() if why == {SuppressionReason.unsubscribed}]
    language = brand.language_for(customer.locale)
    values = page_values(brand, language) | {
        "mail_open": Channel.email in open_channels,
        "texts_open": Channel.sms in open_channels,
        "mail_undo": Channel.email in own,
        "texts_undo": Channel.sms in own,
        "undone": wanted is not None and wanted.undo,
    }
    return page("unsubscribe.html", values, language=language)
