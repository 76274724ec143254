"""The sweep that puts rewards' codes into connected shops, and changes and removes them there.

A claim commits before the platform is called. Whatever breaks off is called again once the lease
ends: the platform knows the code, so nothing is there twice.
"""

from collections.abc import Sequence
from datetime import datetime

from app.base.context import AppContext
from app.base.fence import brands_unless_fenced
from app.base.retry import retry_unavailable
from app.base.turns import Sweep
from app.referrals.placing.call import call_platforms
from app.referrals.placing.claim import claim
from app.referrals.placing.models import PLACING_SWEEP, RewardPlacement
from app.referrals.placing.record import record

RECORD_SECONDS = 45.0
"""How long an outcome is recorded again where the database is unavailable."""


def sweep(context: AppContext) -> Sweep:
    """Brings connected shops to what the rewards are now."""

    async def brands(now: datetime) -> Sequence[int]:
        is_due = RewardPlacement.due_at <= now
        return await brands_unless_fenced(context.reading_sessions, RewardPlacement.brand_id, is_due)

    async def work(brand_id: int, now: datetime) -> int:
        return await place_batch(context, brand_id, now=now)

    return Sweep(PLACING_SWEEP, brands, work)


async def place_batch(context: AppContext, brand_id: int, *, now: datetime) -> int:
    """Call the platforms about codes that are due; returns how many."""
    async with context.sessions.begin() as session:
        claimed = await claim(session, context, brand_id, now=now)
    if not claimed:
        return 0
    outcomes = await call_platforms(context.settings, claimed)

    async def write() -> None:
        async with context.sessions.begin() as session:
            await record(session, context, brand_id, claimed, outcomes, now=now)

    await retry_unavailable(write, name="reward placements", seconds=RECORD_SECONDS)
    return len(claimed)
