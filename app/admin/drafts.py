"""What somebody has filled in and not saved, in the address of a preview: sealed, for an hour."""

import base64
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson
from pydantic import JsonValue

from app.base.tokens import Tokens

TERMS = "terms"
"""The kind of a draft of the whole programme."""
_LASTS = timedelta(hours=1)
_LONGEST = 24_000
"""Characters of an address that servers take."""


def sealed_draft(
    tokens: Tokens, brand_id: int, kind: str, draft: Mapping[str, JsonValue], *, now: datetime
) -> str:
    """The draft as a text for an address, which opens for this brand and kind alone."""
    content = {"brand": brand_id, "kind": kind, "until": (now + _LASTS).timestamp(), "draft": dict(draft)}
    return tokens.seal(base64.b85encode(zlib.compress(orjson.dumps(content), 9)).decode())


def opened_draft(
    tokens: Tokens, brand_id: int, kind: str, text: str, *, now: datetime
) -> dict[str, JsonValue] | None:
    """The draft of `sealed_draft`.

    None for one of another brand or kind, for an old one, and for any other text.
    """
    if not text or len(text) > _LONGEST:
        return None
    try:
        content = orjson.loads(zlib.decompress(base64.b85decode(tokens.open(text))))
    except (ValueError, zlib.error):
        return None
    if content["brand"] != brand_id or content["kind"] != kind or content["until"] < now.timestamp():
        return None
    return dict(content["draft"])
