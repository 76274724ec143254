"""The endpoints that Twilio posts statuses and replies to."""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from app.base import clock
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.web.context import ContextDep
from app.base.web.middleware import read_body
from app.base.web.openapi import problems, request_body, request_headers
from app.base.web.page_route import PageRoute
from app.messaging.accounts import find_accounts
from app.messaging.attribute import UnattributedEvent, attribute
from app.messaging.event_inbox import EventInbox
from app.messaging.opt_out import start_texts, stop_texts
from app.messaging.providers.twilio import events, schemas
from app.messaging.stop_words import TextRequest, read_text

router = APIRouter(tags=["providers"], route_class=PageRoute)
BODY_LIMIT = 64 * 1024
_MOST_FIELDS = 200
_SIGNATURE = events.SIGNATURE_HEADER.lower().encode()
FORM = "application/x-www-form-urlencoded"
_OPT_OUT_TYPES = {"STOP": TextRequest.stop, "START": TextRequest.start}
"""What Twilio's own opt-out took the text for."""
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


class TwimlResponse(Response):
    """Twilio's markup."""

    media_type = "text/xml"


@router.post(
    "/hooks/twilio/status/{attempt}",
    status_code=204,
    responses=problems(400, 401, 413, 503),
    openapi_extra=request_headers(schemas.HEADERS)
    | request_body(schemas.TwilioStatus, media_type=FORM, examples={"delivered": schemas.STATUS_EXAMPLE}),
)
async def receive_twilio_status(
    attempt: Annotated[str, Path(description="The token of the attempt, which the sent text named.")],
    request: Request,
    context: ContextDep,
) -> Response:
    """Store Twilio's status of one text.

    204 after the commit, also for an attempt that is not ours.
    """
    form, brands = await _signed_form(context, request)
    parsed = events.read_status(context.tokens, attempt, form, now=clock.now())
    if isinstance(parsed, UnattributedEvent):
        async with context.sessions_for_providers() as session:
            found = await attribute(session, [parsed])
        parsed = found[0] if found else None
    if parsed is not None and (brands is None or parsed.brand_id in brands):
        await _get_inbox(request).record(parsed)
    return Response(status_code=204)


def _get_inbox(request: Request) -> EventInbox:
    """The process's inbox of provider events, created with its first one."""
    state = request.app.state
    if not hasattr(state, "provider_event_inbox"):
        state.provider_event_inbox = EventInbox(state.context)
    return state.provider_event_inbox  # type: ignore[no-any-return]  # starlette's state is untyped


@router.post(
    "/hooks/twilio/inbound",
    response_class=TwimlResponse,
    responses=problems(400, 401, 413, 503),
    openapi_extra=request_headers(schemas.HEADERS)
    | request_body(schemas.TwilioReply, media_type=FORM, examples={"stop": schemas.REPLY_EXAMPLE}),
)
async def receive_twilio_reply(request: Request, context: ContextDep) -> Response:
    """A person's text to us.

    STOP in any wording and many languages suppresses texts for every brand that sends by the
    account, START takes that back.
    Twilio itself confirms both, so the response is empty. Scores by text are not read yet.
    """
    form, brands = await _signed_form(context, request)
    phone, body, opt_out = (
        (events.value_of(form, name) or "").strip() for name in ("From", "Body", "OptOutType")
    )
    asked = _OPT_OUT_TYPES.get(opt_out.upper()) or read_text(body)
    if phone and asked is not TextRequest.other:
        async with context.sessions_for_providers.begin() as session:
            if asked is TextRequest.stop:
                await stop_texts(session, context.tokens, phone, brands, now=clock.now())
            else:
                await start_texts(session, context.tokens, phone, brands, now=clock.now())
    return TwimlResponse(_EMPTY_TWIML)


async def _signed_form(context: AppContext, request: Request) -> tuple[events.Form, frozenset[int] | None]:
    """The form, once its signature is verified, and the brands that it may speak of.

    Those are the brands whose own account signed it; None, for all, where it was the
    installation's. What is signed is the public URL; the address that a proxy forwards to does not
    matter. Raises `AppError` `bad_signature` (401), `bad_form` (400).
    """
    body = await read_body(request, limit=BODY_LIMIT, drop_up_to=16 * BODY_LIMIT)
    url = context.settings.public_url + _target(request)
    form = read_form(body)
    signature = _signature(request)
    token = context.settings.twilio_auth_token
    if token is not None and events.is_from_twilio(token.get_secret_value(), url, form, signature):
        return form, None
    async with context.sessions_for_providers() as session:
        sid = events.value_of(form, "AccountSid") or ""
        accounts = await find_accounts(session, context.tokens, "twilio", sid)
    brands = frozenset(
        each.brand_id
        for each in accounts
        if events.is_from_twilio(each.credentials["auth_token"], url, form, signature)
    )
    if not brands:
        raise AppError("bad_signature", "The request has no valid signature of Twilio.", status=401)
    return form, brands


def _signature(request: Request) -> str:
    for name, value in request.scope["headers"]:
        if name == _SIGNATURE:
            return bytes(value).decode("latin-1")
    return ""


def _target(request: Request) -> str:
    """The path and the query that the request was made to."""
    path: str = request.scope["path"]
    if not request.scope["query_string"] and events.is_plain_path(path):
        # What the framework would make of it, by parsing its parts again.
        return path
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


def read_form(body: bytes) -> events.Form:
    """A urlencoded body with every value, blank and repeated ones included: all of them are signed.

    As `urllib.parse.parse_qs` reads it, in a quarter of its time. Raises `AppError` `bad_form`
    (400) for a body that is none.
    """
    try:
        fields = body.decode().split("&")
    except ValueError:
        raise _BadForm from None
    if len(fields) > _MOST_FIELDS:
        raise _BadForm
    form: dict[str, list[str]] = {}
    for field in fields:
        if field:
            name, _, value = field.partition("=")
            if "%" in field or "+" in field:
                name, value = _unquoted(name), _unquoted(value)
            form.setdefault(name, []).append(value)
    return form


class _BadForm(AppError):
    def __init__(self) -> None:
        super().__init__("bad_form", "The body must be a urlencoded form.", status=400)


def _unquoted(text: str) -> str:
    if "%" not in text:
        return text.replace("+", " ")
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")
