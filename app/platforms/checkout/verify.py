"""Signatures of Standard Webhooks."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson

from app.platforms.delivery_id import normalize_delivery_id
from app.platforms.events import Unparseable
from app.platforms.fields import load
from app.platforms.protocol import RefusedDelivery, VerifiedDelivery

TOLERANCE_SECONDS = 300
"""The most that a request's time may differ from ours, as in the libraries of Standard Webhooks."""
UNREADABLE = "unreadable"
"""The topic of a delivery whose type cannot be read; parsing gives the reason."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_TOPIC = re.compile(r"[A-Za-z0-9_./:-]{1,64}")


def verify(
    headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], *, now: datetime
) -> VerifiedDelivery | RefusedDelivery:
    """Accept a request with a recent time and a `v1` signature by one of the secrets.

    The topic is the body's `type`.
    """
    message_id = headers.get("webhook-id") or ""
    timestamp = headers.get("webhook-timestamp") or ""
    if not message_id or not _is_recent(timestamp, now):
        return RefusedDelivery()
    # A header's text is its bytes read as latin-1, and the bytes are what was signed.
    signed = f"{message_id}.{timestamp}.".encode("latin-1", "replace") + raw
    given = [
        part[3:].encode("latin-1", "replace")
        for part in (headers.get("webhook-signature") or "").split(" ")
        if part[:3] == "v1,"
    ]
    matches = False
    for key in filter(None, map(_key, secrets)):
        expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
        for signature in given:
            matches |= hmac.compare_digest(expected, signature)
    if not matches:
        return RefusedDelivery()
    return VerifiedDelivery(_topic(raw), normalize_delivery_id(message_id))


def sign(message_id: str, timestamp: int, raw: bytes, secret: str) -> str:
    """The `webhook-signature` of a request, which `verify` accepts."""
    signed = f"{message_id}.{timestamp}.".encode() + raw
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _is_recent(timestamp: str, now: datetime) -> bool:
    if not _TIMESTAMP.fullmatch(timestamp):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE_SECONDS


def _key(secret: str) -> bytes:
    """The key inside `whsec_…`; a secret that is not base64 is used as its text."""
    text = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text.encode()


def _topic(raw: bytes) -> str:
    try:
        body = orjson.loads(raw)
    except ValueError:
        # Half of a surrogate pair, for example: orjson refuses it, the parser's JSON reader does
        # not.
        try:
            body = load(raw).values
        except Unparseable:
            return UNREADABLE
    kind = body.get("type") if isinstance(body, dict) else None
    return kind if isinstance(kind, str) and _TOPIC.fullmatch(kind) else UNREADABLE
