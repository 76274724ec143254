"""A friend's landing page: the offer behind a share link, and the visit that opening it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.base.tokens import slug_brand
from app.brands.find import load_programme, load_programme_versions
from app.brands.models import Brand, Shop
from app.customers.models import Customer
from app.platforms.registry import adapter_of
from app.referrals.models import Code, Referrer, Visit
from app.referrals.rules import CodeStatus, amount_text
from app.referrals.share import discount_text, reward_text, status_of

_MACHINES = re.compile(
    r"bot\b|crawl|spider|slurp|preview|facebookexternalhit|whatsapp/|embedly|skypeuripreview", re.IGNORECASE
)
"""Programs that say of themselves that nobody is looking: search engines, and messengers that draw a preview of a link."""


@dataclass(frozen=True, slots=True)
class FriendOffer:
    """What a friend is shown, in words, and whose link it is."""

    brand: Brand
    customer_id: UUID
    """The referrer."""
    first_name: str | None
    code: str
    discount: str
    reward: str | None
    minimum: str | None
    new_customers_only: bool
    last_day: datetime
    """A moment on the last day, in the shop's zone."""
    shop_name: str
    link: str | None
    """To the shop with the code applied; none where we know no address."""


async def find_offer(session: AsyncSession, slug: str, *, now: datetime) -> FriendOffer | None:
    """The offer behind a share slug; None alike for one that never was, and for a code that does not work now, for whatever reason."""
    brand_id = slug_brand(slug)
    if brand_id is None:
        return None
    row = (
        await session.execute(
            select(Referrer, Code, Brand, Shop, Customer.first_name)
            .join(
                Code,
                (Code.brand_id == Referrer.brand_id)
                & (Code.customer_id == Referrer.customer_id)
                & Code.active,
            )
            .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
            .join(Brand, Brand.id == Referrer.brand_id)
            .join(Shop, (Shop.brand_id == Referrer.brand_id) & (Shop.id == Referrer.shop_id))
            .where(
                Referrer.brand_id == brand_id,
                Referrer.slug == slug,
                Referrer.revoked_at.is_(None),
                Code.live_at.is_not(None),
            )
        )
    ).first()
    if row is None or status_of(row.Code, now=now) is not CodeStatus.active:
        return None
    present = (await load_programme(session, brand_id)).programme
    if not present.redemptions_enabled or not present.runs_at(now):
        return None
    code, shop = row.Code, row.Shop
    terms = (await load_programme_versions(session, brand_id, [code.programme_version]))[
        code.programme_version
    ]
    return FriendOffer(
        brand=row.Brand,
        customer_id=row.Referrer.customer_id,
        first_name=row.first_name,
        code=code.display,
        discount=discount_text(code.discount_kind, code.discount_value, code.currency),
        reward=reward_text(terms, code.currency),
        minimum=None if code.minimum_subtotal is None else amount_text(code.minimum_subtotal, code.currency),
        new_customers_only=terms.offer.new_customers_only,
        last_day=code.expires_at - timedelta(microseconds=1),
        shop_name=shop.name,
        link=None if shop.url is None else adapter_of(shop.platform).shop_link(shop.url, code.display, slug),
    )


def is_visit(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is somebody looking: not a HEAD, a browser's prefetch, or a machine that says it is one."""
    purpose = " ".join(
        headers.get(name, "") for name in ("purpose", "sec-purpose", "x-purpose", "x-moz")
    ).lower()
    if method != "GET" or "prefetch" in purpose or "preview" in purpose:
        return False
    return _MACHINES.search(headers.get("user-agent", "")) is None


async def record_visit(session: AsyncSession, offer: FriendOffer, *, now: datetime) -> None:
    """Count one opening of the link; nothing about who opened it is kept."""
    await session.execute(
        insert(Visit).values(brand_id=offer.brand.id, id=new_id(), customer_id=offer.customer_id, at=now)
    )
