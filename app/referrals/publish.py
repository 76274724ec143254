"""The sweeps that put codes into shops and take them out: claim, call the platform, record.

A claim marks its codes and commits before the platform is called; so a code of a call that broke
off is known as perhaps being in the shop, and is looked up there before it is sent again.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from app.base.context import AppContext
from app.base.retry import retry_unavailable
from app.base.turns import Sweep
from app.referrals.models import Code
from app.referrals.publication_models import PUBLISHING_SWEEPS, CodePublication
from app.referrals.publish_call import call_platform
from app.referrals.publish_claim import claim, is_due
from app.referrals.publish_record import record
from app.referrals.replace import is_late, joins_code, replace_late

URGENT_AT_ONCE = 16
URGENT_OF_BRAND = 4
"""Urgent calls side by side, and those of one brand: they mostly wait for the platform."""
BULK_AT_ONCE = 8
BULK_OF_BRAND = 2
RECORD_SECONDS = 45.0
"""How long an outcome is recorded again where the database is unavailable."""


def sweep(context: AppContext) -> Sweep:
    """Publishes and revokes codes that nobody waits for."""
    return _sweep(context, urgent=False, every_seconds=5, at_once=BULK_AT_ONCE, of_brand=BULK_OF_BRAND)


def urgent_sweep(context: AppContext) -> Sweep:
    """Publishes codes that somebody waits for: beside `sweep`, however much that has to do."""
    return _sweep(context, urgent=True, every_seconds=1, at_once=URGENT_AT_ONCE, of_brand=URGENT_OF_BRAND)


def _sweep(context: AppContext, *, urgent: bool, every_seconds: int, at_once: int, of_brand: int) -> Sweep:
    async def brands(now: datetime) -> Sequence[int]:
        async with context.sessions() as session:
            due = select(CodePublication.brand_id).where(is_due(now, urgent=urgent))
            late = select(CodePublication.brand_id).join(Code, joins_code()).where(is_late(now))
            found = await session.scalars(due.union(late) if urgent else due.distinct())
            return found.all()

    async def work(brand_id: int, now: datetime) -> int:
        moved = await publish_batch(context, brand_id, urgent=urgent, now=now)
        if moved or not urgent:
            return moved
        async with context.sessions.begin() as session:
            return await replace_late(session, context, brand_id, now=now)

    return Sweep(PUBLISHING_SWEEPS[urgent], brands, work, every_seconds, at_once=at_once, of_brand=of_brand)


async def publish_batch(context: AppContext, brand_id: int, *, urgent: bool, now: datetime) -> int:
    """Call one shop's platform once about codes that are due; returns how many."""
    async with context.sessions.begin() as session:
        claimed = await claim(session, context, brand_id, urgent=urgent, now=now)
    if claimed is None or not claimed.codes:
        return 0
    outcome = await call_platform(context.settings, claimed)

    async def write() -> None:
        async with context.sessions.begin() as session:
            await record(session, context, claimed, outcome, now=now)

    await retry_unavailable(write, name="publications", seconds=RECORD_SECONDS)
    return len(claimed.codes)
