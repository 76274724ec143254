"""Check a request at a webhook endpoint, by the secrets of the shop."""

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from app.base.errors import AppError
from app.brands.rules import Platform
from app.ingest.inbox import SECRETS_RECHECK_SECONDS, Inbox, KnownShop
from app.ingest.store import NewDelivery
from app.platforms.delivery_types import Ping, RefusedDelivery, Verification, VerifiedDelivery
from app.platforms.registry import PLATFORMS


async def verify_delivery(
    inbox: Inbox, platform: str, slug: str, headers: Mapping[str, str], raw: bytes, *, now: datetime
) -> NewDelivery | None:
    """Return the delivery to store, or None for a platform's ping.

    A shop has the endpoints of its platform and of a checkout alone. Raises `AppError`
    `unknown_shop` (404) or `bad_signature` (401).
    """
    shop = await inbox.shop(slug)
    if shop is None or platform not in (shop.platform, Platform.checkout):
        raise AppError(
            "unknown_shop",
            "There is no shop with this address; copy the webhook address from the shop's settings.",
            status=404,
        )
    shop, outcome = await _verify(inbox, platform, shop, slug, headers, raw, now)
    match outcome:
        case VerifiedDelivery(topic, external_id):
            return NewDelivery(
                shop.brand_id, shop.shop_id, platform, topic, external_id, raw, received_at=now
            )
        case Ping():
            return None
        case RefusedDelivery():
            raise AppError(
                "bad_signature",
                "The signature is missing or wrong, or the delivery's time is more than five minutes"
                " from ours; nothing was stored.",
                status=401,
            )
        case _:
            assert_never(outcome)


async def _verify(
    inbox: Inbox,
    platform: str,
    shop: KnownShop,
    slug: str,
    headers: Mapping[str, str],
    raw: bytes,
    now: datetime,
) -> tuple[KnownShop, Verification]:
    """Verify by the cached secrets; if those refuse and have changed, by the new ones."""
    adapter = PLATFORMS[platform]
    outcome = adapter.verify(headers, raw, shop.secrets, now=now)
    if not isinstance(outcome, RefusedDelivery):
        return shop, outcome
    recent = await inbox.shop(slug, max_age=SECRETS_RECHECK_SECONDS)
    if recent is None or recent.secrets == shop.secrets:
        return shop, outcome
    return recent, adapter.verify(headers, raw, recent.secrets, now=now)
