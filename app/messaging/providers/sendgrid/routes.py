"""The endpoint that SendGrid posts its events to."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlalchemy.exc import DBAPIError

from app.base import clock
from app.base.config import Environment
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.log import logger
from app.base.schemas import Received
from app.base.web.context import ContextDep
from app.base.web.middleware import read_body
from app.base.web.openapi import problems, request_body, request_headers
from app.brands.programme import Channel
from app.messaging.accounts import find_brands_account
from app.messaging.attribute import UnattributedEvent, attribute
from app.messaging.provider_events import ParsedProviderEvent, record_provider_events
from app.messaging.providers.sendgrid import events, schemas

log = logger(__name__)

router = APIRouter(tags=["providers"])
BODY_LIMIT = 4 * 1024 * 1024
"""SendGrid posts once 768 kB have gathered."""


@router.post(
    "/hooks/sendgrid/events",
    responses=problems(400, 401, 413, 503),
    openapi_extra=request_headers(schemas.HEADERS)
    | request_body(schemas.SendGridEvents, examples={"delivered": schemas.EXAMPLE}),
)
async def receive_sendgrid_events(request: Request, context: ContextDep) -> Received:
    """Store SendGrid's events of our mails.

    200 after the commit, also for events that were stored before and for types that are not used.
    Where some cannot be stored the others are, and SendGrid is asked to post all again.
    """
    body = await read_body(request, limit=BODY_LIMIT, drop_up_to=2 * BODY_LIMIT)
    _check_signature(context, request, body)
    now = clock.now()
    await _store(context, events.read_events(context.tokens, body, now=now), now=now)
    return Received()


@router.post(
    "/hooks/sendgrid/events/{brand}",
    responses=problems(400, 401, 413, 503),
    openapi_extra=request_headers(schemas.HEADERS)
    | request_body(schemas.SendGridEvents, examples={"delivered": schemas.EXAMPLE}),
)
async def receive_own_sendgrid_events(
    brand: Annotated[str, Path(description="The slug of the brand whose own account it is.")],
    request: Request,
    context: ContextDep,
) -> Received:
    """As above, of a brand's own account, signed with that account's key.

    Events of another brand's mails are left out.
    """
    body = await read_body(request, limit=BODY_LIMIT, drop_up_to=2 * BODY_LIMIT)
    async with context.sessions_for_providers() as session:
        account = await find_brands_account(session, context.tokens, brand, Channel.email)
    key = None if account is None else account.credentials.get("event_public_key")
    if account is None or key is None or not _is_signed(key, request, body):
        raise _bad_signature()
    now = clock.now()
    reported = events.read_events(context.tokens, body, now=now)
    async with context.sessions_for_providers.begin() as session:
        parsed = await attribute(session, reported)
        own = [event for event in parsed if event.brand_id == account.brand_id]
        await record_provider_events(session, context.tokens, own, now=now)
    return Received()


_Reported = ParsedProviderEvent | UnattributedEvent


async def _store(context: AppContext, reported: Sequence[_Reported], *, now: datetime) -> None:
    """Commit all events together or, where that fails, brand by brand; raises the last failure."""
    try:
        await _commit(context, reported, now=now)
    except DBAPIError as error:
        of_brand: dict[int | None, list[_Reported]] = defaultdict(list)
        for event in reported:
            of_brand[event.brand_id if isinstance(event, ParsedProviderEvent) else None].append(event)
        if len(of_brand) < 2 or error.connection_invalidated:
            raise
    else:
        return
    failure: DBAPIError | None = None
    for brand_id, events_of_brand in of_brand.items():
        try:
            await _commit(context, events_of_brand, now=now)
        except DBAPIError as error:
            log.warning("a brand's events could not be stored", brand=brand_id, error=type(error).__name__)
            failure = error
    if failure is not None:
        raise failure


async def _commit(context: AppContext, reported: Sequence[_Reported], *, now: datetime) -> None:
    async with context.sessions_for_providers.begin() as session:
        parsed = await attribute(session, reported)
        await record_provider_events(session, context.tokens, parsed, now=now)


def _check_signature(context: AppContext, request: Request, body: bytes) -> None:
    """Raises `AppError` `bad_signature` (401); without a key only production does."""
    key = context.settings.sendgrid_event_public_key
    if key is None and context.settings.env is not Environment.production:
        return
    if key is None or not _is_signed(key, request, body):
        raise _bad_signature()


def _is_signed(key: str, request: Request, body: bytes) -> bool:
    signature = request.headers.get(events.SIGNATURE_HEADER, "")
    timestamp = request.headers.get(events.TIMESTAMP_HEADER, "")
    return events.is_from_sendgrid(key, body, signature=signature, timestamp=timestamp)


def _bad_signature() -> AppError:
    return AppError("bad_signature", "The request has no valid signature of SendGrid.", status=401)
