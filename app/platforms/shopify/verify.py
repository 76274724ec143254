"""Shopify's signatures."""

from collections.abc import Mapping, Sequence

from app.base.text import one_line
from app.platforms.delivery_id import body_id, normalize_delivery_id
from app.platforms.delivery_types import NO_TOPIC, RefusedDelivery, VerifiedDelivery
from app.platforms.signatures import is_signed


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
    if not is_signed(raw, given, (secret.encode() for secret in filter(None, secrets))):
        return RefusedDelivery()
    topic = _header(headers, "Topic")
    # The delivery's id, not the event's: one event causes deliveries of several topics, and each
    # counts.
    external_id = _header(headers, "Webhook-Id") or body_id(topic, raw)
    return VerifiedDelivery(one_line(topic, limit=64) or NO_TOPIC, normalize_delivery_id(external_id))


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(f"Shopify-{name}") or headers.get(f"X-Shopify-{name}") or ""
