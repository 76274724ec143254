"""Signatures of an own checkout's deliveries, by Standard Webhooks."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson

from app.platforms import standard_webhooks
from app.platforms.delivery_id import normalize_delivery_id
from app.platforms.delivery_types import NO_TOPIC, RefusedDelivery, VerifiedDelivery
from app.platforms.events import Unparseable
from app.platforms.fields import load
from app.platforms.standard_webhooks import signed_id

_TOPIC = re.compile(r"[A-Za-z0-9_./:-]{1,64}")


def verify(
    headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], *, now: datetime
) -> VerifiedDelivery | RefusedDelivery:
    """Accept a request with a recent time and a `v1` signature by one of the secrets.

    The topic is the body's `type`.
    """
    message_id = signed_id(headers, raw, filter(None, map(_key, secrets)), now=now)
    if message_id is None:
        return RefusedDelivery()
    return VerifiedDelivery(_topic(raw), normalize_delivery_id(message_id))


def sign(message_id: str, timestamp: int, raw: bytes, secret: str) -> str:
    """The `webhook-signature` of a request, which `verify` accepts."""
    return standard_webhooks.sign(message_id, timestamp, raw, _key(secret))


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
            return NO_TOPIC
    kind = body.get("type") if isinstance(body, dict) else None
    return kind if isinstance(kind, str) and _TOPIC.fullmatch(kind) else NO_TOPIC
