"""WooCommerce's signatures, its ping, and the key of a delivery."""

import re
from collections.abc import Iterator, Mapping, Sequence

from app.base.text import one_line
from app.platforms.delivery_id import body_id
from app.platforms.delivery_types import NO_TOPIC, Ping, RefusedDelivery, Verification, VerifiedDelivery
from app.platforms.signatures import is_signed

_PING = re.compile(rb"webhook_id=\d{1,20}")
_ENTITY = re.compile(r"&(?:(amp|lt|gt|quot)|#0*(38|60|62|34|39)|#[xX]0*(26|22|27));")
_DECODED = dict.fromkeys(("amp", "38", "26"), "&") | dict.fromkeys(("quot", "34", "22"), '"')
_DECODED |= {"lt": "<", "60": "<", "gt": ">", "62": ">", "39": "'", "27": "'"}
"""What `wp_specialchars_decode(…, ENT_QUOTES)` decodes, in one pass."""


def verify(headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> Verification:
    """Accept a body that was signed with one of the secrets.

    The form that WooCommerce posts when a webhook is saved has no signature: it is a ping.
    """
    given = headers.get("X-WC-Webhook-Signature")
    if given is None:
        return Ping() if _PING.fullmatch(raw) else RefusedDelivery()
    signature = given.encode("latin-1", "replace")
    if not is_signed(raw, [signature], (key.encode() for key in _keys(secrets))):
        return RefusedDelivery()
    topic = one_line(headers.get("X-WC-Webhook-Topic") or "", limit=64)
    # The body has the order and the time of its change. `X-WC-Webhook-Delivery-ID` is no key: it is
    # made of the webhook and the second, so two orders of one second have the same.
    return VerifiedDelivery(topic or NO_TOPIC, body_id(topic, raw))


def _keys(secrets: Sequence[str]) -> Iterator[str]:
    """The keys that a secret stands for: as it was given, and with its HTML entities decoded.

    WordPress signs with the decoded form of what it stores; which form its pages show, and so was
    given, is not known.
    """
    for secret in filter(None, secrets):
        yield secret
        if "&" in secret and (decoded := decoded_secret(secret)) != secret:
            yield decoded


def decoded_secret(secret: str) -> str:
    """The secret with its HTML entities decoded, as WordPress does before it signs."""
    return _ENTITY.sub(lambda found: _DECODED[next(filter(None, found.groups()))], secret)
