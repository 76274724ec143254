"""Twilio's callbacks: are these forms really Twilio's, and what does a status say in our words."""

from datetime import datetime
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from twilio.request_validator import RequestValidator

from app.base.errors import AppError
from app.base.tokens import Tokens
from app.messaging.provider_event_rules import OPTED_OUT_DETAIL
from app.messaging.provider_events import ParsedProviderEvent
from app.messaging.providers.event_fields import clean
from app.messaging.rules import ProviderEventKind

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
_NO_SUCH_PHONE = frozenset({"21211", "21614", "30005", "30006"})
"""Not a number, not a mobile, unknown handset, landline: asking again cannot help. 30003 (switched off) and the rest may pass."""
_MOST_FIELDS = 200


def read_form(body: bytes) -> FormData:
    """A urlencoded body with every value, blank and repeated ones too: all are part of what is signed."""
    try:
        fields: list[tuple[str, str | UploadFile]] = [
            *parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        ]
    except ValueError:
        raise AppError("bad_form", "The body must be a urlencoded form.", status=400) from None
    return FormData(fields)


def is_from_twilio(auth_token: str, url: str, form: FormData | str, signature: str) -> bool:
    """Whether a request to this public URL carries a valid signature of the account. `form` is a text for a JSON body."""
    return bool(RequestValidator(auth_token).validate(url, form, signature))


def read_status(tokens: Tokens, token: str, form: FormData, *, now: datetime) -> ParsedProviderEvent | None:
    """The receipt in a status callback; None for a token that is none of ours and a status that we do not know.

    A callback carries no time of its own, so it is as of `now`.
    """
    subject = tokens.read_link("attempt", token)
    sid, status = clean(form.get("MessageSid")), clean(form.get("MessageStatus"))
    kind = _KINDS.get(status or "")
    if subject is None or kind is None or sid is None:
        return None
    detail = clean(form.get("ErrorCode")) or ("canceled" if status == "canceled" else None)
    gone = detail in _NO_SUCH_PHONE
    failed = kind is ProviderEventKind.failed
    return ParsedProviderEvent(
        brand_id=subject.brand_id,
        attempt_id=subject.row_id,
        provider="twilio",
        external_id=f"{sid}:{status}",
        kind=ProviderEventKind.bounced if failed and gone else kind,
        detail=detail if failed else None,
        at=now,
        permanent=failed and (gone or detail == OPTED_OUT_DETAIL),
        provider_ref=sid,
    )
