"""The unsubscribe door: a page that changes nothing, and a POST that always answers 200."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
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
from app.base.web.pages import not_found_page, page
from app.brands.find import load_brand
from app.brands.models import Brand
from app.brands.programme import Channel
from app.customers.consent import lift_unsubscribe, suppress, suppressions_of
from app.customers.models import Customer
from app.customers.rules import SuppressionReason

router = APIRouter(tags=["customers"])
log = logger(__name__)
_BODY_LIMIT = 16 * 1024
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a POST asks for. Anything but our own form is a plain unsubscription: RFC 8058 says no more than that."""

    undo: bool = False
    texts: bool = False


async def read_wish(request: Request) -> Wish:
    """The wish in a body of any kind; what cannot be read is a wish to unsubscribe."""
    try:
        body = await read_body(request, limit=_BODY_LIMIT, drop_up_to=64 * _BODY_LIMIT)
        fields = parse_qs(body.decode("latin-1"), max_num_fields=20) if _is_form(request) else {}
    except (AppError, ValueError):
        return Wish()
    return Wish(undo=fields.get("undo") == ["1"], texts=fields.get("sms") == ["1"])


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


@router.head("/u/{token}", include_in_schema=False)
@router.get("/u/{token}", response_class=HTMLResponse)
async def show(token: str, request: Request, context: ContextDep, session: SessionDep) -> HTMLResponse:
    """Who writes, and one button. Changes nothing: mail scanners open every link."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    found = await _find(session, context.tokens, token)
    if found is None:
        get_lookup_limit(request).record_failure(request)
        return not_found_page()
    brand, customer = found
    return await _page(session, context.tokens, brand, customer)


@router.post("/u/{token}", response_class=HTMLResponse)
async def unsubscribe(
    token: str, context: ContextDep, session: SessionDep, wish: Annotated[Wish, Depends(read_wish)]
) -> HTMLResponse:
    """Send this person nothing more, or take that back. 200 whatever was sent, no cookie, no redirect (RFC 8058)."""
    found = await _find(session, context.tokens, token)
    if found is None:
        return page("unsubscribe_done.html", {})
    brand, customer = found
    await _fulfil(session, context.tokens, customer, wish, now=clock.now())
    log.info("unsubscribe page used", brand=brand.id, customer=str(customer.id), undo=wish.undo)
    return await _page(session, context.tokens, brand, customer, wish=wish)


async def _find(session: AsyncSession, tokens: Tokens, token: str) -> tuple[Brand, Customer] | None:
    subject = tokens.read_link("unsubscribe", token)
    if subject is None:
        return None
    found = await session.execute(
        select(Customer).where(Customer.brand_id == subject.brand_id, Customer.id == subject.row_id)
    )
    customer = found.scalar_one_or_none()
    return None if customer is None else (await load_brand(session, subject.brand_id), customer)


async def _fulfil(
    session: AsyncSession, tokens: Tokens, customer: Customer, wish: Wish, *, now: datetime
) -> None:
    """Mail stops with every wish; texts when asked for, or where texts are all this person gets."""
    texts = wish.texts or customer.email is None
    for channel, address in (
        (Channel.email, customer.email),
        (Channel.sms, customer.phone if texts else None),
    ):
        if address is None:
            continue
        if wish.undo:
            await lift_unsubscribe(session, tokens, customer.brand_id, channel, address)
        else:
            reason = SuppressionReason.unsubscribed
            await suppress(session, tokens, customer.brand_id, channel, [address], reason, now=now)


async def _page(
    session: AsyncSession, tokens: Tokens, brand: Brand, customer: Customer, *, wish: Wish | None = None
) -> HTMLResponse:
    state = await suppressions_of(session, tokens, brand.id, customer.email, customer.phone)
    reasons = {channel: reason for channel, reason, _ in state}
    address = {Channel.email: customer.email, Channel.sms: customer.phone}
    open_channels = [channel for channel in Channel if address[channel] and channel not in reasons]
    own = [channel for channel, reason in reasons.items() if reason is SuppressionReason.unsubscribed]
    values = {
        "lang": "en",
        "brand_name": brand.name,
        "postal_address": brand.postal_address,
        "mail_open": Channel.email in open_channels,
        "texts_open": Channel.sms in open_channels,
        "mail_undo": Channel.email in own,
        "texts_undo": Channel.sms in own,
        "undone": wish is not None and wish.undo,
    }
    return page("unsubscribe.html", values)
