"""Which platform's file reads which door."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from app.platforms import checkout, shopify
from app.platforms.events import PlatformEvent, VerifiedDelivery


class PlatformAdapter(Protocol):
    """What one platform's file offers."""

    def verify(
        self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], *, now: datetime
    ) -> VerifiedDelivery:
        """What a genuine delivery is about; `Refused` for any other. Header names match in any case."""

    def parse(self, topic: str, raw: bytes, /, *, received_at: datetime) -> list[PlatformEvent]:
        """What it says, in our words; nothing for a topic we do not use; `Unparseable` with a reason people can read."""


PLATFORMS: Mapping[str, PlatformAdapter] = {"checkout": checkout, "shopify": shopify}
"""The doors below `/hooks/{shop}/`, by name."""
PARSERS: Mapping[str, PlatformAdapter] = {**PLATFORMS, "api": checkout, "import": checkout}
"""Who reads a kept delivery, by its source: what came by the API or from a file is written as a checkout writes it."""
