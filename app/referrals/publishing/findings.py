"""What is amiss with the codes of connected shops, in sentences for people."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.text import one_line
from app.brands.models import Shop
from app.platforms.models import ShopConnection
from app.platforms.registry import PLATFORMS
from app.referrals.publishing.models import CodePublication, ShopDiscount, ShopPublishing
from app.referrals.rules import PublicationState

NOT_CONNECTED = (
    "The shop is not connected, so its cart knows no codes; orders that name one count all the same. Run:"
    " tenfold shop connect {slug}"
)


async def find_code_problems(
    session: AsyncSession, brand_id: int, shop_ids: Collection[UUID]
) -> dict[UUID, list[str]]:
    """The problems of these shops' codes, by shop; a shop without one is left out.

    What the last nightly check found, why no code can be put there at present, and how many were
    refused for good.
    """
    ids = sorted(shop_ids)
    found: dict[UUID, list[str]] = {}
    for part in (_refused_shops, _refused_codes, _checked):
        for shop_id, sentences in await part(session, brand_id, ids):
            found.setdefault(shop_id, []).extend(sentences)
    return {shop_id: list(dict.fromkeys(each)) for shop_id, each in found.items() if each}


_Sentences = list[tuple[UUID, list[str]]]


async def _refused_shops(session: AsyncSession, brand_id: int, ids: list[UUID]) -> _Sentences:
    """Why no code can be put into a shop at present."""
    rows = await session.execute(
        select(ShopPublishing.shop_id, ShopPublishing.reason).where(
            *_in(ShopPublishing, brand_id, ids), ShopPublishing.reason.is_not(None)
        )
    )
    return [(shop_id, [f"Codes cannot be put into the shop: {why}"]) for shop_id, why in rows]


async def _refused_codes(session: AsyncSession, brand_id: int, ids: list[UUID]) -> _Sentences:
    """How many codes a shop has refused for good, with one of the reasons."""
    rows = await session.execute(
        select(
            CodePublication.shop_id,
            func.count(),
            func.max(CodePublication.reason),
        )
        .where(
            *_in(CodePublication, brand_id, ids),
            CodePublication.attempt > 0,
            CodePublication.state == PublicationState.failed,
            CodePublication.issued_id.is_not(None),
        )
        .group_by(CodePublication.shop_id)
    )
    found = []
    for shop_id, count, reason in rows:
        last = one_line(reason or "", limit=200) or ""
        found.append((shop_id, [f"{count} codes were refused by the shop, as: {last}"]))
    return found


async def _checked(session: AsyncSession, brand_id: int, ids: list[UUID]) -> _Sentences:
    """What the last check of each shop's codes found."""
    rows = await session.execute(
        select(ShopDiscount.shop_id, ShopDiscount.findings)
        .where(*_in(ShopDiscount, brand_id, ids))
        .order_by(ShopDiscount.shop_id, ShopDiscount.terms_id)
    )
    return [(shop_id, findings) for shop_id, findings in rows]


def _in(
    table: type[ShopPublishing | CodePublication | ShopDiscount], brand_id: int, ids: list[UUID]
) -> tuple[ColumnElement[bool], ...]:
    return table.brand_id == brand_id, in_ids(table.shop_id, ids)


async def find_unconnected(session: AsyncSession) -> list[str]:
    """The shops, of all brands, whose carts could know codes and do not: their slugs."""
    able = [name for name, adapter in PLATFORMS.items() if adapter.publishes_codes]
    connected = select(ShopConnection.shop_id).where(
        ShopConnection.brand_id == Shop.brand_id, ShopConnection.shop_id == Shop.id
    )
    slugs = await session.scalars(
        select(Shop.slug).where(Shop.platform.in_(able), ~connected.exists()).order_by(Shop.slug)
    )
    return list(slugs)
