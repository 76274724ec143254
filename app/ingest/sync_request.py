"""Ask for a synchronisation of a shop, which the workers do, and look where it stands."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError
from app.base.fence import load_fence
from app.brands.models import Shop
from app.ingest.backfill_models import ShopSync
from app.ingest.sync_rows import SWEEP_NAME, begin, check_since, lock_row
from app.platforms.registry import adapter_of


async def load_sync(session: AsyncSession, brand_id: int, shop_id: UUID) -> ShopSync | None:
    """Where the shop's synchronisation stands; None for a shop that never had one."""
    return await session.scalar(
        select(ShopSync).where(ShopSync.brand_id == brand_id, ShopSync.shop_id == shop_id)
    )


async def request_sync(
    session: AsyncSession, shop: Shop, *, since: datetime, history: bool, actor: Actor, now: datetime
) -> ShopSync:
    """Have the workers read the shop's orders that were changed since then, from now on.

    One that waits, or was stopped by a problem, begins again with these terms. Raises `AppError`:
    `cannot_sync`, `not_connected`, `sync_taken` while one is being worked on, `fenced` in a copy
    of the database, and `bad_time` as `check_since`.
    """
    if not adapter_of(shop.platform).lists_orders:
        raise AppError(
            "cannot_sync", "Orders of this shop cannot be read from its platform; import a file of them."
        )
    check_since(since, now)
    if await load_fence(session) is not None:
        raise AppError(
            "fenced", "This database is a fenced copy, which reads nothing from shops.", status=409
        )
    row, _ = await lock_row(session, shop, now=now)
    begin(row, since=since, history=history, now=now)
    row.due_at = now
    await session.flush()
    changes = {"since": (None, since.isoformat()), "history": (None, history)}
    await record_action(session, actor, AuditAction.sync_requested, ("shp", shop.id), changes)
    await due.wake(session, SWEEP_NAME)
    return row
