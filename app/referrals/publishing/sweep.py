"""The sweeps that put codes into shops and take them out: claim, call the platform, record.

A claim marks its codes and commits before the platform is called; so a code of a call that broke
off is known as perhaps being in the shop, and is looked up there before it is sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from app.base.context import AppContext
from app.base.retry import retry_unavailable
from app.base.turns import Sweep
from app.referrals.models import Code
from app.referrals.publishing.call import call_platform
from app.referrals.publishing.claim import claim, is_due
from app.referrals.publishing.models import PUBLISHING_SWEEPS, CodePublication
from app.referrals.publishing.record import record
from app.referrals.publishing.replace import is_late, joins_code, replace_late

URGENT_AT_ONCE = 16
URGENT_OF_BRAND = 4
"""Urgent calls side by side, and those of one brand: they mostly wait for the platform."""
BULK_AT_ONCE = 8
BULK_OF_BRAND = 2
CLAIM_TRIES = 3
"""How often codes are looked for where others have just claimed those that were found."""
RECORD_SECONDS = 45.0
"""How long an outcome is recorded again where the database is unavailable."""


def sweep(context: AppContext) -> Sweep:
    """Publishes and revokes codes that nobody waits for."""
    found = _Publisher(context, urgent=False)
    name = PUBLISHING_SWEEPS[False]
    return Sweep(name, found.brands, found.work, 5, at_once=BULK_AT_ONCE, of_brand=BULK_OF_BRAND)


def urgent_sweep(context: AppContext) -> Sweep:
    """Publishes codes that somebody waits for, and replaces those that are late.

    It runs beside `sweep`, however much that has to do.
    """
    found = _Publisher(context, urgent=True)
    name = PUBLISHING_SWEEPS[True]
    return Sweep(name, found.brands, found.work, 1, at_once=URGENT_AT_ONCE, of_brand=URGENT_OF_BRAND)


@dataclass
class _Publisher:
    """One of the two sweeps; it knows which brands have late codes: nothing else looks for them."""

    context: AppContext
    urgent: bool
    late: set[int] = field(default_factory=set)

    async def brands(self, now: datetime) -> Sequence[int]:
        """The brands with codes that are due or late at `now`."""
        async with self.context.reading_sessions() as session:
            due = await session.scalars(
                select(CodePublication.brand_id).where(is_due(now, urgent=self.urgent)).distinct()
            )
            found = set(due)
            if self.urgent:
                late = await session.scalars(
                    select(CodePublication.brand_id).join(Code, joins_code()).where(is_late(now)).distinct()
                )
                self.late = set(late)
        return sorted(found | self.late)

    async def work(self, brand_id: int, now: datetime) -> int:
        """Publish one batch of the brand; where none is due, replace what is late."""
        moved = await publish_batch(self.context, brand_id, urgent=self.urgent, now=now)
        if moved or brand_id not in self.late:
            return moved
        async with self.context.sessions.begin() as session:
            return await replace_late(session, self.context, brand_id, now=now)


async def publish_batch(context: AppContext, brand_id: int, *, urgent: bool, now: datetime) -> int:
    """Call one shop's platform once about codes that are due; returns how many."""
    for _ in range(CLAIM_TRIES):
        async with context.sessions.begin() as session:
            claimed = await claim(session, context, brand_id, urgent=urgent, now=now)
        if claimed is None:
            return 0
        if claimed.codes:
            break
    else:
        return 0
    outcome = await call_platform(context.settings, claimed)

    async def write() -> None:
        async with context.sessions.begin() as session:
            await record(session, context, claimed, outcome, now=now)

    await retry_unavailable(write, name="publications", seconds=RECORD_SECONDS)
    return len(claimed.codes)
