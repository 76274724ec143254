"""The shop that a list is limited to."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Shop

NO_SHOP = UUID(int=0)
"""No shop has this id, so nothing belongs to it."""


async def find_shop_id(session: AsyncSession, brand_id: int, slug: str | None) -> UUID | None:
    """The id of the brand's shop with this slug, `NO_SHOP` where it has none; None without a slug.

    A list that names the id itself is planned for it: few rows of a small shop are found by their
    index.
    """
    if slug is None:
        return None
    found = await session.scalar(select(Shop.id).where(Shop.brand_id == brand_id, Shop.slug == slug))
    return found or NO_SHOP
