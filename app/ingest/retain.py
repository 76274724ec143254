"""Retention: what is kept for a time only, each kind for as long as its setting says.

Raw bodies of deliveries, visits of share links (their numbers stay), comments with the notes
about them and the replies (scores stay), and the keyed hashes of erased people.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.config import Settings
from app.base.context import AppContext
from app.base.months import months_before
from app.base.turns import Sweep
from app.customers.erased import KEPT_MONTHS, brands_with_old_identities, delete_old_identities
from app.referrals.retain import brands_with_old_visits, roll_up_visits
from app.surveys.retain import (
    brands_with_old_comments,
    brands_with_old_notes,
    brands_with_old_replies,
    delete_old_comments,
    delete_old_notes,
    delete_old_replies,
)

SWEEP_NAME = "retention"
BATCH = 500
EVERY_SECONDS = 30

# The conditions repeat the partial index `ix_deliveries_retained`, word by word.
_OLD = "body <> '' AND status IN ('processed', 'ignored', 'failed') AND received_at < :before"
_BRANDS = text(f"SELECT DISTINCT brand_id FROM deliveries WHERE {_OLD} ORDER BY brand_id")
_EMPTY = text(f"""
    WITH old AS (
        SELECT id FROM deliveries WHERE brand_id = :brand_id AND {_OLD}
        ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), fetched AS (
        UPDATE delivery_fetches SET body = ''
        WHERE brand_id = :brand_id AND body IS NOT NULL AND delivery_id IN (SELECT id FROM old)
    )
    UPDATE deliveries SET body = '' WHERE brand_id = :brand_id AND id IN (SELECT id FROM old) RETURNING id
""")  # only the constant above is put in


@dataclass(frozen=True, slots=True)
class RetainedKind:
    """One kind of data: from which time it is too old, who has such rows, and what is done to them.

    `clean` handles at most `BATCH` rows of a brand and returns how many it found.
    """

    before: Callable[[Settings, datetime], datetime]
    brands: Callable[[AsyncSession, datetime], Awaitable[Sequence[int]]]
    clean: Callable[[AsyncSession, int, datetime, int], Awaitable[int]]


async def _brands_with_old_bodies(session: AsyncSession, before: datetime) -> Sequence[int]:
    return (await session.scalars(_BRANDS, {"before": before})).all()


async def empty_old_deliveries(session: AsyncSession, brand_id: int, before: datetime, limit: int) -> int:
    """Delete the content of deliveries that were received before this time; the rows stay.

    What still waits to be processed is kept however old it is.
    """
    emptied = await session.scalars(_EMPTY, {"brand_id": brand_id, "before": before, "limit": limit})
    return len(emptied.all())


KINDS = (
    RetainedKind(
        lambda settings, now: now - timedelta(days=settings.retain_delivery_days),
        _brands_with_old_bodies,
        empty_old_deliveries,
    ),
    RetainedKind(
        lambda settings, now: now - timedelta(days=settings.retain_visit_days),
        brands_with_old_visits,
        roll_up_visits,
    ),
    RetainedKind(
        lambda settings, now: months_before(now, settings.retain_comment_months),
        brands_with_old_comments,
        delete_old_comments,
    ),
    RetainedKind(
        lambda settings, now: months_before(now, settings.retain_comment_months),
        brands_with_old_notes,
        delete_old_notes,
    ),
    RetainedKind(
        lambda settings, now: months_before(now, settings.retain_comment_months),
        brands_with_old_replies,
        delete_old_replies,
    ),
    RetainedKind(
        lambda _settings, now: months_before(now, KEPT_MONTHS),
        brands_with_old_identities,
        delete_old_identities,
    ),
)


def sweep(context: AppContext) -> Sweep:
    """The sweep that deletes what is too old, brand by brand."""

    async def brands(now: datetime) -> list[int]:
        found: set[int] = set()
        async with context.reading_sessions() as session:
            for kind in KINDS:
                found.update(await kind.brands(session, kind.before(context.settings, now)))
        return sorted(found)

    async def work(brand_id: int, now: datetime) -> int:
        count = 0
        for kind in KINDS:
            async with context.sessions.begin() as session:
                count += await kind.clean(session, brand_id, kind.before(context.settings, now), BATCH)
        return count

    return Sweep(SWEEP_NAME, brands, work, every_seconds=EVERY_SECONDS)
