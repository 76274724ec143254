"""The adapter of custom checkouts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from app.base.i18n import N_
from app.platforms.checkout.parse import parse
from app.platforms.checkout.schemas import DOCUMENTATION
from app.platforms.checkout.verify import verify
from app.platforms.delivery_types import RawDelivery, RefusedDelivery, VerifiedDelivery
from app.platforms.events import PlatformEvent
from app.platforms.links import with_query
from app.platforms.protocol import PlatformAdapter


class CheckoutAdapter(PlatformAdapter):
    """Deliveries are complete and codes work at once: such a checkout validates them with us."""

    title: ClassVar = N_("Own checkout")
    documentation: ClassVar = DOCUMENTATION

    def verify(
        self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], *, now: datetime
    ) -> VerifiedDelivery | RefusedDelivery:
        """Accept a request with a valid Standard Webhooks signature."""
        return verify(headers, raw, secrets, now=now)

    def parse(self, delivery: RawDelivery, /) -> list[PlatformEvent]:
        """One event, or none for a type that is not used. Raises `Unparseable`."""
        return parse(delivery)

    def shop_link(self, url: str, code: str, slug: str) -> str:
        """The shop reads `ref` and `discount` from the query."""
        return with_query(url, ref=slug, discount=code)
