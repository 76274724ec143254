"""Delete old visits of share links once they are counted by day."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.referrals.visit_models import Visit

# One statement, so that a visit is counted either as a row or in the number of its day.
_ROLL_UP = text("""
    WITH old AS (
        SELECT id FROM visits WHERE brand_id = :brand_id AND at < :before
        ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM visits WHERE brand_id = :brand_id AND id IN (SELECT id FROM old)
        RETURNING referrer_id, at
    ), counted AS (
        INSERT INTO visit_counts (brand_id, referrer_id, day, visits)
        SELECT :brand_id, gone.referrer_id, (gone.at AT TIME ZONE brands.time_zone)::date, count(*)
        FROM gone JOIN brands ON brands.id = :brand_id
        GROUP BY 2, 3 ORDER BY 2, 3
        ON CONFLICT (brand_id, referrer_id, day)
        DO UPDATE SET visits = visit_counts.visits + excluded.visits
    )
    SELECT count(*) FROM gone
""")


async def brands_with_old_visits(session: AsyncSession, before: datetime) -> Sequence[int]:
    """The brands that have visits from before this time."""
    rows = await session.scalars(select(Visit.brand_id).where(Visit.at < before).distinct())
    return rows.all()


async def roll_up_visits(session: AsyncSession, brand_id: int, before: datetime, limit: int) -> int:
    """Turn visits from before this time into numbers by day (brand's zone); no figure changes."""
    values = {"brand_id": brand_id, "before": before, "limit": limit}
    return int(await session.scalar(_ROLL_UP, values) or 0)
