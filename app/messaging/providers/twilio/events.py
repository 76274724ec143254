"""Twilio's callbacks: check their signature, and parse a status."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlparse

from twilio.request_validator import RequestValidator, add_port, remove_port

from app.base.tokens import Tokens
from app.messaging.attribute import UnattributedEvent
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
Form = Mapping[str, Sequence[str]]
"""The fields of a callback by name, each with all its values, in order."""


_PLAIN_PATH = re.compile(r"/[\w./-]*", re.ASCII)
_PLAIN_URL = re.compile(rf"(?P<host>https?://[\w.:-]+)(?P<path>{_PLAIN_PATH.pattern})", re.ASCII)


class _SignedForm(dict[str, Sequence[str]]):
    """A form as the SDK's signature check reads it."""

    def getlist(self, name: str) -> Sequence[str]:
        """All values of a field."""
        return self[name]


def is_from_twilio(auth_token: str, url: str, form: Form | str, signature: str) -> bool:
    """Whether a request to this public URL has a valid signature of the account.

    `form` is the text of a JSON body.
    """
    parts = _PLAIN_URL.fullmatch(url)
    if isinstance(form, str) or parts is None:
        signed = form if isinstance(form, str) else _SignedForm(form)
        return bool(RequestValidator(auth_token).validate(url, signed, signature))
    # As the SDK does, which parses the address and copies the form for each of the two.
    host, path = parts.groups()
    fields = [
        name + values[0] if len(values) == 1 else "".join([name + value for value in sorted(set(values))])
        for name, values in sorted(form.items())
    ]
    rest = f"{path}{''.join(fields)}".encode()
    given = signature.encode("utf-8", "surrogatepass")
    # The second is computed where the first does not match, which tells nobody anything of either.
    first, second = _without_and_with_port(host)
    return hmac.compare_digest(_signed(auth_token, first + rest), given) or hmac.compare_digest(
        _signed(auth_token, second + rest), given
    )


def _signed(auth_token: str, text: bytes) -> bytes:
    first, second = _keyed(auth_token)
    inner, outer = first.copy(), second.copy()
    inner.update(text)
    outer.update(inner.digest())
    return base64.b64encode(outer.digest())


@lru_cache(maxsize=256)
def _keyed(auth_token: str) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """The two beginnings of HMAC-SHA-1 (RFC 2104) with this key; new ones take four times as long.

    Twilio signs with SHA-1.
    """
    key = auth_token.encode()
    block = hashlib.sha1(usedforsecurity=False).block_size
    if len(key) > block:
        key = hashlib.sha1(key, usedforsecurity=False).digest()
    padded = key.ljust(block, b"\0")
    first, second = (
        hashlib.sha1(bytes(byte ^ pad for byte in padded), usedforsecurity=False) for pad in (0x36, 0x5C)
    )
    return first, second


def is_plain_path(path: str) -> bool:
    """Whether a path is written the same wherever it is parsed and put together again."""
    return _PLAIN_PATH.fullmatch(path) is not None


@lru_cache(maxsize=64)
def _without_and_with_port(host: str) -> tuple[bytes, bytes]:
    """The beginning of an address in both forms, of which Twilio signs one or the other."""
    parsed = urlparse(host)
    return remove_port(parsed).encode(), add_port(parsed).encode()


def value_of(form: Form, name: str) -> str | None:
    """The last value of a field; None for a field that is missing."""
    values = form.get(name)
    return values[-1] if values else None


def read_status(
    tokens: Tokens, token: str, form: Form, *, now: datetime
) -> ParsedProviderEvent | UnattributedEvent | None:
    """The event in a status callback; None for an unknown status.

    A token that is not ours names no attempt: then the message's id and the number may find it. A
    callback has no time of its own, so the event's time is `now`.
    """
    subject = tokens.read_link("attempt", token)
    sid, status = clean(value_of(form, "MessageSid")), clean(value_of(form, "MessageStatus"))
    kind = _KINDS.get(status or "")
    if kind is None or sid is None:
        return None
    cause, detail = None, None
    if kind is ProviderEventKind.failed:
        detail = clean(value_of(form, "ErrorCode")) or ("canceled" if status == "canceled" else None)
        cause = _cause(detail)
        if cause is FailureCause.invalid_address:
            kind = ProviderEventKind.bounced
    if subject is None:
        number = clean(value_of(form, "To"))
        if number is None:
            return None
        return UnattributedEvent("twilio", sid, number, f"{sid}:{status}", kind, detail, now, cause)
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
    number = int(code) if code and code.isdecimal() and len(code) < 10 else 0
    if number in NO_SUCH_NUMBER:
        return FailureCause.invalid_address
    return FailureCause.recipient_opted_out if number == OPTED_OUT else None
