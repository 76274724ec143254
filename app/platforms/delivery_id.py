"""The id by which a repeated delivery is recognised."""

import hashlib
import re

_PLAIN_ID = re.compile(r"[!-~]{1,128}")


def body_id(topic: str, raw: bytes) -> str:
    """An id of topic and body, for a platform whose deliveries have none that is their own."""
    return "body:" + hashlib.sha256(topic.encode() + b"\n" + raw).hexdigest()


def normalize_delivery_id(given: str) -> str:
    """The id as given, or its SHA-256 where it is over 128 characters or not printable ASCII."""
    if _PLAIN_ID.fullmatch(given):
        return given
    return "sha256:" + hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
