"""The connections of a brand's shops, as staff see and end them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.batch import in_ids
from app.base.context import AppContext
from app.base.errors import NotFound
from app.base.tokens import Tokens
from app.brands.models import Shop
from app.platforms.connect import remove_webhooks
from app.platforms.connections import load_connections, remove_connection
from app.platforms.models import ShopConnection
from app.platforms.schemas import ConnectionShape
from app.referrals.publishing.findings import find_code_problems


async def connection_shapes(
    session: AsyncSession, tokens: Tokens, shops: Sequence[Shop]
) -> dict[str, ConnectionShape]:
    """The connections of these shops of one brand, by slug; a shop without one is left out."""
    if not shops:
        return {}
    brand_id, ids = shops[0].brand_id, [shop.id for shop in shops]
    rows = await session.scalars(
        select(ShopConnection)
        .where(ShopConnection.brand_id == brand_id, in_ids(ShopConnection.shop_id, ids))
        .execution_options(populate_existing=True)
    )
    found = {row.shop_id: row for row in rows}
    connections = await load_connections(session, tokens, brand_id, list(found))
    codes = await find_code_problems(session, brand_id, list(found))
    return {
        shop.slug: ConnectionShape.of(
            shop, found[shop.id], connections[shop.id].credentials, codes.get(shop.id, ())
        )
        for shop in shops
        if shop.id in found
    }


async def disconnect_shop(
    session: AsyncSession, context: AppContext, shop: Shop, *, actor: Actor
) -> str | None:
    """Remove the shop's connection, and its webhooks at the platform.

    Returns why these could not be removed. Raises `NotFound` where it has no connection.
    """
    failed = await remove_webhooks(context, shop)
    if not await remove_connection(session, shop.brand_id, shop.id, actor=actor):
        raise NotFound
    return failed
