"""Twilio's callbacks: check their signature, and parse a status."""

from datetime import datetime
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from twilio.request_validator import RequestValidator

from app.base.errors import AppError
from app.base.tokens import Tokens
from app.messaging.provider_events import ParsedProviderEvent
from app.messaging.providers.event_fields import clean
from app.messaging.providers.twilio.codes import NO_SUCH_NUMBER, OPTED_OUT
from app.messaging.rules import FailureCause, ProviderEventKind

SIGNATURE_HEADER = "X-Twilio-Signature"
_KINDS = {
    "accepted": ProviderEventKind.accepted,
    "scheduled": ProviderEventKind.accepted,
    "queued": ProviderEventKind.accepted,
    "sending": ProviderEventKind.accepted,
    "sent": ProviderEventKind.accepted,
    "delivered": ProviderEventKind.delivered,
    "read": ProviderEventKind.delivered,
    "undelivered": ProviderEventKind.failed,
    "failed": ProviderEventKind.failed,
    "canceled": ProviderEventKind.failed,
}
_MOST_FIELDS = 200


def read_form(body: bytes) -> FormData:
    """A urlencoded body with every value, blank and repeated ones included: all of them are signed.

    Raises `AppError` `bad_form` (400) for a body that is none.
    """
    try:
        fields: list[tuple[str, str | UploadFile]] = [
            *parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        ]
    except ValueError:
        raise AppError("bad_form", "The body must be a urlencoded form.", status=400) from None
    return FormData(fields)


def is_from_twilio(auth_token: str, url: str, form: FormData | str, signature: str) -> bool:
    """Whether a request to this public URL has a valid signature of the account.

    `form` is the text of a JSON body.
    """
    return bool(RequestValidator(auth_token).validate(url, form, signature))


def read_status(tokens: Tokens, token: str, form: FormData, *, now: datetime) -> ParsedProviderEvent | None:
    """The event in a status callback; None for a token that is not ours and for an unknown status.

    A callback has no time of its own, so the event's time is `now`.
    """
    subject = tokens.read_link("attempt", token)
    sid, status = clean(form.get("MessageSid")), clean(form.get("MessageStatus"))
    kind = _KINDS.get(status or "")
    if subject is None or kind is None or sid is None:
        return None
    cause, detail = None, None
    if kind is ProviderEventKind.failed:
        detail = clean(form.get("ErrorCode")) or ("canceled" if status == "canceled" else None)
        cause = _cause(detail)
        if cause is FailureCause.invalid_address:
            kind = ProviderEventKind.bounced
    return ParsedProviderEvent(
        brand_id=subject.brand_id,
        attempt_id=subject.row_id,
        provider="twilio",
        external_id=f"{sid}:{status}",
        kind=kind,
        detail=detail,
        at=now,
        cause=cause,
        provider_ref=sid,
    )


def _cause(code: str | None) -> FailureCause | None:
    number = int(code) if code and code.isdecimal() else 0
    if number in NO_SUCH_NUMBER:
        return FailureCause.invalid_address
    return FailureCause.recipient_opted_out if number == OPTED_OUT else None
