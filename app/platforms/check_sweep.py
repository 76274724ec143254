"""The sweep that checks connections each night, and at once after a change."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from app.base.batch import in_ids
from app.base.context import AppContext
from app.base.due import brands_of
from app.base.fence import load_fence
from app.base.turns import Sweep
from app.platforms.check import AT_ONCE, LEASE, load_targets, run_checks, write_results
from app.platforms.connect import SWEEP_NAME
from app.platforms.models import ShopConnection


async def check_due(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Check at most `AT_ONCE` of the brand's due connections; returns how many.

    In a fenced copy of the database nothing is registered: the webhooks are the original's.
    """
    async with context.sessions.begin() as session:
        register = await load_fence(session) is None
        oldest = (
            select(ShopConnection.shop_id)
            .where(ShopConnection.brand_id == brand_id, ShopConnection.check_due_at <= now)
            .order_by(ShopConnection.check_due_at, ShopConnection.shop_id)
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        ids = list(await session.scalars(oldest))
        if not ids:
            return 0
        await session.execute(
            update(ShopConnection)
            .where(ShopConnection.brand_id == brand_id, in_ids(ShopConnection.shop_id, ids))
            .values(check_due_at=now + LEASE)
            .execution_options(synchronize_session=False)
        )
        targets = await load_targets(session, context.settings, context.tokens, brand_id, ids)
    results = await run_checks(context.settings, targets, register=register)
    async with context.sessions.begin() as session:
        await write_results(session, results, now=now)
    return len(ids)


def sweep(context: AppContext) -> Sweep:
    """The sweep that checks what is due, brand by brand."""

    async def brands(now: datetime) -> Sequence[int]:
        return await brands_of(
            context.reading_sessions, ShopConnection.brand_id, ShopConnection.check_due_at <= now
        )

    async def work(brand_id: int, now: datetime) -> int:
        return await check_due(context, brand_id, now=now)

    return Sweep(SWEEP_NAME, brands, work, every_seconds=30)
