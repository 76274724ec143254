"""Signatures of Standard Webhooks, which several platforms use, each with keys of its own form."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from app.platforms.signatures import is_signed, signature_of

TOLERANCE_SECONDS = 300
"""The most that a request's time may differ from ours, as in the libraries of Standard Webhooks."""
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def signed_id(headers: Mapping[str, str], raw: bytes, keys: Iterable[bytes], *, now: datetime) -> str | None:
    """The `webhook-id` of a request with a recent time and a `v1` signature by one of the keys.

    None for any other request.
    """
    message_id = headers.get("webhook-id") or ""
    timestamp = headers.get("webhook-timestamp") or ""
    if not message_id or not _is_recent(timestamp, now):
        return None
    # A header's text is its bytes read as latin-1, and the bytes are what was signed.
    signed = f"{message_id}.{timestamp}.".encode("latin-1", "replace") + raw
    given = [
        part[3:].encode("latin-1", "replace")
        for part in (headers.get("webhook-signature") or "").split(" ")
        if part[:3] == "v1,"
    ]
    return message_id if is_signed(signed, given, keys) else None


def sign(message_id: str, timestamp: int, raw: bytes, key: bytes) -> str:
    """The `webhook-signature` of a request, which `signed_id` accepts."""
    signed = f"{message_id}.{timestamp}.".encode() + raw
    return f"v1,{signature_of(signed, key).decode()}"


def _is_recent(timestamp: str, now: datetime) -> bool:
    if not _TIMESTAMP.fullmatch(timestamp):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE_SECONDS
