"""The providers' doors: SendGrid's events, Twilio's status callbacks and replies. Everything that counts is signed."""

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from app.base import clock
from app.base.config import Environment
from app.base.errors import AppError
from app.base.web.context import AppContext, ContextDep, SessionDep
from app.base.web.middleware import read_body
from app.messaging.opt_out import stop_texts
from app.messaging.provider_event_rules import wants_stop
from app.messaging.provider_events import record_provider_events
from app.messaging.providers.sendgrid import events as sendgrid_events
from app.messaging.providers.twilio import events as twilio_events

router = APIRouter(tags=["providers"])
EVENTS_LIMIT = 4 * 1024 * 1024
"""SendGrid posts at 768 kB."""
FORM_LIMIT = 64 * 1024
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@router.post("/hooks/sendgrid/events")
async def sendgrid_posts_events(
    request: Request, context: ContextDep, session: SessionDep
) -> dict[str, bool]:
    """Keep what SendGrid tells of our mails. 200 after the commit, also for events told before and of types we do not use."""
    body = await read_body(request, limit=EVENTS_LIMIT, drop_up_to=2 * EVENTS_LIMIT)
    _demand_sendgrid(context, request, body)
    now = clock.now()
    await record_provider_events(
        session, context.tokens, sendgrid_events.read_events(context.tokens, body, now=now), now=now
    )
    return {"received": True}


@router.post("/hooks/twilio/status/{attempt}")
async def twilio_tells_status(
    attempt: str, request: Request, context: ContextDep, session: SessionDep
) -> Response:
    """Keep what Twilio tells of one text. 204 also for an attempt that is none of ours."""
    form = await _signed_form(context, request)
    now = clock.now()
    parsed = twilio_events.read_status(context.tokens, attempt, form, now=now)
    if parsed is not None:
        await record_provider_events(session, context.tokens, [parsed], now=now)
    return Response(status_code=204)


@router.post("/hooks/twilio/inbound")
async def twilio_brings_reply(request: Request, context: ContextDep, session: SessionDep) -> Response:
    """A person's text to us. STOP in any wording is obeyed for every brand; Twilio itself answers it, so we say nothing.

    START lifts nothing here: a suppression is lifted by people, not by texts. Scores by text are not taken yet.
    """
    form = await _signed_form(context, request)
    sender, body, opt_out = (str(form.get(name) or "") for name in ("From", "Body", "OptOutType"))
    if sender and wants_stop(body, opt_out):
        await stop_texts(session, context.tokens, sender.strip(), now=clock.now())
    return Response(_EMPTY_TWIML, media_type="text/xml")


def _demand_sendgrid(context: AppContext, request: Request, body: bytes) -> None:
    key = context.settings.sendgrid_event_public_key
    if key is None and context.settings.env is not Environment.production:
        return
    signature = request.headers.get(sendgrid_events.SIGNATURE_HEADER, "")
    timestamp = request.headers.get(sendgrid_events.TIMESTAMP_HEADER, "")
    if key is None or not sendgrid_events.is_from_sendgrid(
        key, body, signature=signature, timestamp=timestamp
    ):
        raise _not_signed("SendGrid")


async def _signed_form(context: AppContext, request: Request) -> FormData:
    """The form, once its signature over the public URL is proved; the address a proxy sees is of no account."""
    body = await read_body(request, limit=FORM_LIMIT, drop_up_to=16 * FORM_LIMIT)
    token = context.settings.twilio_auth_token
    url = (
        context.settings.public_url
        + request.url.path
        + (f"?{request.url.query}" if request.url.query else "")
    )
    form = twilio_events.read_form(body)
    signature = request.headers.get(twilio_events.SIGNATURE_HEADER, "")
    if token is None or not twilio_events.is_from_twilio(token.get_secret_value(), url, form, signature):
        raise _not_signed("Twilio")
    return form


def _not_signed(whose: str) -> AppError:
    return AppError("bad_signature", f"The request carries no valid signature of {whose}.", status=401)
