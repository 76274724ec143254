"""The adapter of Shopify."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from app.platforms.events import PlatformEvent
from app.platforms.protocol import PlatformAdapter, RawDelivery, RefusedDelivery, VerifiedDelivery
from app.platforms.shopify.parse import parse
from app.platforms.shopify.schemas import DOCUMENTATION
from app.platforms.shopify.verify import verify


class ShopifyAdapter(PlatformAdapter):
    """Deliveries are complete; their signature carries no time."""

    documentation: ClassVar = DOCUMENTATION

    def verify(
        self,
        headers: Mapping[str, str],
        raw: bytes,
        secrets: Sequence[str],
        *,
        now: datetime,  # noqa: ARG002  # the signature carries no time
    ) -> VerifiedDelivery | RefusedDelivery:
        """Accept a body that was signed with one of the secrets."""
        return verify(headers, raw, secrets)

    def parse(self, delivery: RawDelivery, /) -> list[PlatformEvent]:
        """The events of the delivery, none for a topic that is not used. Raises `Unparseable`."""
        return parse(delivery)

    def shop_link(self, url: str, code: str, slug: str) -> str:
        """`/discount/CODE` applies the code and redirects to the shop's address."""
        scheme, host, path, _, _ = urlsplit(url)
        target = f"{path or '/'}?{urlencode({'ref': slug})}"
        return urlunsplit((scheme, host, f"/discount/{quote(code)}", urlencode({"redirect": target}), ""))
