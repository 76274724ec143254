"""Signatures of webhooks: the base64 of a body's HMAC-SHA256."""

import base64
import hmac
from collections.abc import Collection, Iterable


def signature_of(signed: bytes, key: bytes) -> bytes:
    """The base64 of the HMAC-SHA256."""
    return base64.b64encode(hmac.digest(key, signed, "sha256"))


def is_signed(signed: bytes, given: Collection[bytes], keys: Iterable[bytes]) -> bool:
    """Whether one of the given signatures is by one of the keys.

    Every key and every signature is compared, each in constant time.
    """
    matches = False
    for key in keys:
        expected = signature_of(signed, key)
        for signature in given:
            matches |= hmac.compare_digest(expected, signature)
    return matches
