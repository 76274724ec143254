"""The endpoint that SendGrid posts its events to."""

from fastapi import APIRouter, Request

from app.base import clock
from app.base.config import Environment
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.schemas import Received
from app.base.web.context import ContextDep, ProviderSessionDep
from app.base.web.middleware import read_body
from app.base.web.openapi import problems, request_body, request_headers
from app.messaging.attribute import attribute
from app.messaging.provider_events import record_provider_events
from app.messaging.providers.sendgrid import events, schemas

router = APIRouter(tags=["providers"])
BODY_LIMIT = 4 * 1024 * 1024
"""SendGrid posts once 768 kB have gathered."""


@router.post(
    "/hooks/sendgrid/events",
    responses=problems(400, 401, 413, 503),
    openapi_extra=request_headers(schemas.HEADERS)
    | request_body(schemas.SendGridEvents, examples={"delivered": schemas.EXAMPLE}),
)
async def receive_sendgrid_events(
    request: Request, context: ContextDep, session: ProviderSessionDep
) -> Received:
    """Store SendGrid's events of our mails.

    200 after the commit, also for events that were stored before and for types that are not used.
    """
    body = await read_body(request, limit=BODY_LIMIT, drop_up_to=2 * BODY_LIMIT)
    _check_signature(context, request, body)
    now = clock.now()
    parsed = await attribute(session, events.read_events(context.tokens, body, now=now))
    await record_provider_events(session, context.tokens, parsed, now=now)
    return Received()


def _check_signature(context: AppContext, request: Request, body: bytes) -> None:
    """Raises `AppError` `bad_signature` (401); without a key only production does."""
    key = context.settings.sendgrid_event_public_key
    if key is None and context.settings.env is not Environment.production:
        return
    signature = request.headers.get(events.SIGNATURE_HEADER, "")
    timestamp = request.headers.get(events.TIMESTAMP_HEADER, "")
    if key is None or not events.is_from_sendgrid(key, body, signature=signature, timestamp=timestamp):
        raise AppError("bad_signature", "The request has no valid signature of SendGrid.", status=401)
