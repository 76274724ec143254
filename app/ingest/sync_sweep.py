"""The sweep that synchronises connected shops each night, and goes on with what broke off."""

from datetime import datetime

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.fence import load_fence
from app.base.turns import Sweep
from app.brands.models import Shop
from app.ingest.backfill_models import ShopSync
from app.ingest.sync import sync_due
from app.ingest.sync_rows import SWEEP_NAME, claim_due, ensure_row
from app.platforms.models import ShopConnection
from app.platforms.registry import PLATFORMS

EVERY_SECONDS = 60
TURN_SECONDS = 20.0
"""How long one turn of a brand may take."""
LISTING = sorted(name for name, adapter in PLATFORMS.items() if adapter.lists_orders)
"""The platforms whose orders can be read."""


async def work_due(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Work on one of the brand's due synchronisations; returns 1, or 0 for none.

    In a fenced copy of the database nothing is read: the shop's limit on calls is the original's.
    """
    async with context.sessions.begin() as session:
        if await load_fence(session) is not None:
            return 0
        await _add_rows(session, brand_id)
        claimed = await claim_due(session, brand_id, now=now)
    if claimed is None:
        return 0
    await sync_due(context, claimed, now=now, seconds=TURN_SECONDS)
    return 1


async def _add_rows(session: AsyncSession, brand_id: int) -> None:
    """Make the rows of the brand's connected shops that have none yet."""
    found = await session.execute(
        _connected().where(ShopConnection.brand_id == brand_id, ShopSync.shop_id.is_(None)).order_by(Shop.id)
    )
    for shop, connection in found.all():
        await ensure_row(session, shop, connection)


def _connected() -> Select[Shop, ShopConnection]:
    """Connected shops of these platforms, beside their rows."""
    return (
        select(Shop, ShopConnection)
        .join(
            ShopConnection,
            (ShopConnection.brand_id == Shop.brand_id) & (ShopConnection.shop_id == Shop.id),
        )
        .outerjoin(ShopSync, (ShopSync.brand_id == Shop.brand_id) & (ShopSync.shop_id == Shop.id))
        .where(Shop.platform.in_(LISTING))
    )


def sweep(context: AppContext) -> Sweep:
    """The sweep that synchronises what is due, brand by brand."""

    async def brands(now: datetime) -> list[int]:
        async with context.reading_sessions() as session:
            is_due = (ShopSync.due_at <= now) & or_(
                ShopSync.leased_until.is_(None), ShopSync.leased_until <= now
            )
            rows = await session.scalars(
                _connected()
                .with_only_columns(ShopConnection.brand_id)
                .where(or_(ShopSync.shop_id.is_(None), is_due))
                .distinct()
                .order_by(ShopConnection.brand_id)
            )
            return list(rows)

    async def work(brand_id: int, now: datetime) -> int:
        return await work_due(context, brand_id, now=now)

    return Sweep(SWEEP_NAME, brands, work, every_seconds=EVERY_SECONDS)
