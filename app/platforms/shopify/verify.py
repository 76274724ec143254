"""Shopify's signatures."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from app.base.text import one_line
from app.platforms.delivery_id import normalize_delivery_id
from app.platforms.delivery_types import NO_TOPIC, RefusedDelivery, VerifiedDelivery


def verify(
    headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]
) -> VerifiedDelivery | RefusedDelivery:
    """Accept a body that was signed with one of the secrets.

    The signature is read from `X-Shopify-Hmac-Sha256` and from the unprefixed header of newer
    deliveries.
    """
    given = [
        value.encode("latin-1", "replace")
        for prefix in ("", "X-")
        if (value := headers.get(f"{prefix}Shopify-Hmac-Sha256"))
    ]
    matches = False
    for secret in filter(None, secrets):
        expected = base64.b64encode(hmac.digest(secret.encode(), raw, "sha256"))
        for signature in given:
            matches |= hmac.compare_digest(expected, signature)
    if not matches:
        return RefusedDelivery()
    topic = _header(headers, "Topic")
    # The delivery's id, not the event's: one event causes deliveries of several topics, and each
    # counts.
    external_id = _header(headers, "Webhook-Id") or _body_id(topic, raw)
    return VerifiedDelivery(one_line(topic, limit=64) or NO_TOPIC, normalize_delivery_id(external_id))


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(f"Shopify-{name}") or headers.get(f"X-Shopify-{name}") or ""


def _body_id(topic: str, raw: bytes) -> str:
    return "body:" + hashlib.sha256(topic.encode() + b"\n" + raw).hexdigest()
