"""The id by which a repeated delivery is recognised."""

import hashlib
import re

_PLAIN_ID = re.compile(r"[!-~]{1,128}")


def normalize_delivery_id(given: str) -> str:
    """The id as given, or its SHA-256 where it is over 128 characters or not printable ASCII."""
    if _PLAIN_ID.fullmatch(given):
        return given
    return "sha256:" + hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
