"""Which shops' codes are put into their platform before they work."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.brands.models import Shop
from app.platforms.models import ShopConnection
from app.platforms.registry import adapter_of


async def find_publishing_shops(
    session: AsyncSession, brand_id: int, shops: Iterable[Shop]
) -> frozenset[UUID]:
    """Those of these shops into which codes are put: connected ones of a platform that takes codes.

    In every other shop a code counts at once: the shop asks us, or reports it with the order. No
    query where no platform takes codes.
    """
    able = [shop.id for shop in shops if adapter_of(shop.platform).publishes_codes]
    if not able:
        return frozenset()
    found = await session.scalars(
        select(ShopConnection.shop_id).where(
            ShopConnection.brand_id == brand_id, in_ids(ShopConnection.shop_id, able)
        )
    )
    return frozenset(found)
