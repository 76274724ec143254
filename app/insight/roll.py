"""The sweep `rollups`: keeps the figures of large brands by day, exact under late facts.

Steps note the rows that they change (`app/base/touched.py`). The sweep finds the days of these rows
and computes each again from the rows, by the same queries that count a small brand. A day that is
computed again is replaced whole, so it does not matter what changed, how late or how often. One
process at a time rolls a brand: what was committed before it had the lock, it sees.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import clock
from app.base.context import AppContext
from app.base.models import TouchedRows
from app.base.turns import Sweep
from app.brands.models import Brand
from app.brands.rules import zone_or
from app.insight.figure_types import UNTIL_FOREVER, Figure, Slice, with_parts
from app.insight.figures import FIGURES, query_values
from app.insight.models import DailyFigure, DirtyDay, Rollup
from app.insight.periods import Period, midnight
from app.insight.roll_rules import (
    LOOKED_AT_AGAIN,
    NO_DAY,
    ROLLED_FROM,
    SLICE_DAYS,
    VERSION,
    DayRange,
    days_in,
    last_of,
    months_of,
    pause_after,
    ranges_of,
)
from app.insight.touched_days import ALL_DAYS, Touched, days_of
from app.orders.models import Order

SWEEP_NAME = "rollups"
EVERY_SECONDS = 20
_NOTES = 500
"""Notes of a brand that are read in one transaction."""
_DUE = text("""
    SELECT DISTINCT touched_rows.brand_id FROM touched_rows
    LEFT JOIN rollups ON rollups.brand_id = touched_rows.brand_id
    WHERE rollups.brand_id IS NULL OR rollups.due_at <= :now
    UNION
    SELECT rollups.brand_id FROM rollups WHERE rollups.due_at <= :now
        AND EXISTS (SELECT FROM dirty_days WHERE dirty_days.brand_id = rollups.brand_id)
    UNION
    SELECT rollups.brand_id FROM rollups JOIN brands ON brands.id = rollups.brand_id
    WHERE rollups.due_at <= :now AND rollups.time_zone <> brands.time_zone
    ORDER BY 1
""")


def sweep(context: AppContext, *, rolled_from: int = ROLLED_FROM) -> Sweep:
    """The sweep; brands of more than `rolled_from` orders get roll-ups."""

    async def brands(now: datetime) -> Sequence[int]:
        async with context.reading_sessions() as session:
            return (await session.scalars(_DUE, {"now": now})).all()

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            return await roll(session, brand_id, rolled_from=rolled_from, now=now)

    return Sweep(SWEEP_NAME, brands, work, every_seconds=EVERY_SECONDS)


async def roll(session: AsyncSession, brand_id: int, *, now: datetime, rolled_from: int = ROLLED_FROM) -> int:
    """Read notes, or compute one slice of dirty days; returns how many of both there were.

    A round reads the notes that there are and computes their days; then comes a pause. 0 in a
    pause, and where another process rolls the brand.
    """
    began = clock.monotonic()
    brand = await session.get_one(Brand, brand_id)
    rollup = await _lock(session, brand_id, now)
    if rollup is None or rollup.due_at > now:
        return 0
    if rollup.time_zone is None and not await _is_large(session, brand_id, rolled_from):
        rollup.due_at = now + LOOKED_AT_AGAIN
        await session.execute(delete(TouchedRows).where(TouchedRows.brand_id == brand_id))
        return 0
    # Days are ranges of constants, and a plan that is made for all ranges suits none of them.
    await session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    await session.execute(text("SET LOCAL work_mem = '32MB'"))
    if (rollup.time_zone, rollup.version) != (brand.time_zone, VERSION):
        await _begin(session, rollup, brand.time_zone)
    if rollup.read_at is None:
        notes = await _read_notes(session, brand)
        rollup.read_at = now if notes < _NOTES else None
        rollup.spent_seconds += clock.monotonic() - began
        return notes + 1
    days = await _take_days(session, brand_id)
    await compute_days(session, brand_id, brand.time_zone, days)
    rollup.spent_seconds += clock.monotonic() - began
    if len(days) < SLICE_DAYS:
        rollup.built_at, rollup.as_of = rollup.built_at or now, rollup.read_at
        rollup.due_at, rollup.read_at = now + pause_after(rollup.spent_seconds), None
        rollup.spent_seconds = 0.0
    return len(days)


async def _lock(session: AsyncSession, brand_id: int, now: datetime) -> Rollup | None:
    """The brand's row, locked until the commit; None where another process has it."""
    await session.execute(insert(Rollup).values(brand_id=brand_id, due_at=now).on_conflict_do_nothing())
    return await session.scalar(
        select(Rollup)
        .where(Rollup.brand_id == brand_id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )


async def _is_large(session: AsyncSession, brand_id: int, rolled_from: int) -> bool:
    first = select(Order.id).where(Order.brand_id == brand_id).limit(rolled_from + 1).subquery()
    return (await session.scalar(select(func.count()).select_from(first)) or 0) > rolled_from


async def _begin(session: AsyncSession, rollup: Rollup, zone: str) -> None:
    """Begin to build all days, as days of this zone; until they are there rows are counted."""
    await session.execute(delete(DailyFigure).where(DailyFigure.brand_id == rollup.brand_id))
    await session.execute(delete(DirtyDay).where(DirtyDay.brand_id == rollup.brand_id))
    rollup.time_zone, rollup.version = zone, VERSION
    rollup.built_at = rollup.as_of = rollup.read_at = None
    known = zone_or(zone, "UTC").key
    days = await session.scalars(text(ALL_DAYS), {"brand": rollup.brand_id, "zone": known})
    await _make_dirty(session, rollup.brand_id, days.all())


async def _read_notes(session: AsyncSession, brand: Brand) -> int:
    """Delete notes and mark the days of their rows as dirty; returns how many notes."""
    some = (
        select(TouchedRows.id)
        .where(TouchedRows.brand_id == brand.id)
        .limit(_NOTES)
        .with_for_update(skip_locked=True)
    )
    found = await session.execute(
        delete(TouchedRows)
        .where(TouchedRows.brand_id == brand.id, TouchedRows.id.in_(some))
        .returning(TouchedRows.table_name, TouchedRows.row_ids, TouchedRows.moments)
        .execution_options(synchronize_session=False)
    )
    notes = found.all()
    days = await days_of(session, brand.id, brand.time_zone, Touched.of(notes))
    await _make_dirty(session, brand.id, sorted(days))
    return len(notes)


async def _make_dirty(session: AsyncSession, brand_id: int, days: Sequence[date]) -> None:
    if days:
        rows = [{"brand_id": brand_id, "day": day} for day in days]
        await session.execute(insert(DirtyDay).on_conflict_do_nothing(), rows)


async def _take_days(session: AsyncSession, brand_id: int) -> Sequence[date]:
    """The latest dirty days, which the caller computes: they are no longer dirty then."""
    latest = (
        select(DirtyDay.day)
        .where(DirtyDay.brand_id == brand_id)
        .order_by(DirtyDay.day.desc())
        .limit(SLICE_DAYS)
    )
    taken = await session.scalars(
        delete(DirtyDay)
        .where(DirtyDay.brand_id == brand_id, DirtyDay.day.in_(latest))
        .returning(DirtyDay.day)
        .execution_options(synchronize_session=False)
    )
    return taken.all()


async def compute_days(session: AsyncSession, brand_id: int, zone: str, days: Sequence[date]) -> None:
    """Compute these days from the rows, and their months from the days."""
    ranges = ranges_of(days)
    if ranges:
        await _replace(session, brand_id, zone, days_in(ranges), slice_of(ranges, zone))
    if NO_DAY in days:
        await _replace(session, brand_id, zone, [NO_DAY], Slice.no_day())
    for month in months_of(ranges):
        values = {"brand": brand_id, "month": month, "last": last_of(month)}
        await session.execute(_DELETE_MONTH, values)
        await session.execute(_ADD_MONTH, values)


def slice_of(ranges: Sequence[DayRange], zone: str) -> Slice:
    """The rows of these days in the zone.

    The number of periods is a power of two, the last one repeated, so that statements are few.
    """
    known = zone_or(zone, "UTC").key
    periods = [
        Period(midnight(each.first, known), midnight(each.last + timedelta(days=1), known)) for each in ranges
    ]
    count = 1 << (len(periods) - 1).bit_length()
    return Slice((*periods, *[periods[-1]] * (count - len(periods))), by_day=True)


async def _replace(
    session: AsyncSession, brand_id: int, zone: str, days: Sequence[date], slice_: Slice
) -> None:
    await session.execute(_DELETE_DAYS, {"brand": brand_id, "days": days})
    values = query_values(brand_id, slice_, zone)
    for figures in _ALIKE.values():
        await session.execute(text(_insert(figures, slice_)), values)


def _insert(figures: Sequence[Figure], slice_: Slice) -> str:
    """The SQL that stores these figures of a slice; what they have in common is read once.

    Rows are stored in the order in which they are read: so one page has many of a day.
    """
    rows = " UNION ALL ".join(
        f"""SELECT CAST(:brand AS int), '{figure.name}', 'day', found.day, found.until, found.shop_id, found.key,
            ARRAY[{", ".join(f"found.{name}" for name in figure.columns)}]::bigint[]
        FROM ({figure.select(slice_)}) AS found"""
        for figure in figures
    )
    return f"""
        {with_parts((part for figure in figures for part in figure.parts), slice_)}
        INSERT INTO daily_figures (brand_id, figure, span, day, until, shop_id, key, counts) {rows}
        ORDER BY 2, 4, 5, 6, 7
    """


_ALIKE: dict[str, list[Figure]] = {}
"""The figures by the first part that they count."""
for _figure in FIGURES:
    _ALIKE.setdefault(_figure.parts[0].name if _figure.parts else "", []).append(_figure)
_DELETE_DAYS = text("""
    DELETE FROM daily_figures WHERE brand_id = :brand AND figure = ANY(CAST(:figures AS text[]))
        AND span = 'day' AND day = ANY(CAST(:days AS date[]))
""").bindparams(figures=[figure.name for figure in FIGURES])
_DELETE_MONTH = text("""
    DELETE FROM daily_figures WHERE brand_id = :brand AND figure = ANY(CAST(:figures AS text[]))
        AND span IN ('month', 'months') AND day = :month
""").bindparams(figures=[figure.name for figure in FIGURES])
_PLACES = range(1, max(len(figure.columns) for figure in FIGURES) + 1)
_SUMS = f"""array_remove(
    ARRAY[{", ".join(f"sum(counts[{place}])::bigint" for place in _PLACES)}], NULL) AS counts"""
MONTH_ROWS = f"""
    WITH of_months AS (
        SELECT figure, date_trunc('month', day)::date AS day, until, shop_id, key, {_SUMS}
        FROM daily_figures WHERE brand_id = :brand AND span = 'day' AND day <> :no_day {{}}
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT 'month' AS span, figure, day, until, shop_id, key, counts FROM of_months
    WHERE until <> {UNTIL_FOREVER}
    UNION ALL
    SELECT 'months', figure, day, date_trunc('month', until)::date, shop_id, key, {_SUMS}
    FROM of_months GROUP BY 1, 2, 3, 4, 5, 6
"""
"""The SQL of the rows of months, from those of days; `{}` is a further condition on the days."""
_OF_MONTH = "AND figure = ANY(CAST(:figures AS text[])) AND day BETWEEN :month AND :last"
_ADD_MONTH = text(f"""
    INSERT INTO daily_figures (brand_id, figure, span, day, until, shop_id, key, counts)
    SELECT :brand, figure, span, day, until, shop_id, key, counts
    FROM ({MONTH_ROWS.format(_OF_MONTH)}) AS sums ORDER BY 2, 3, 4, 5, 6, 7
""").bindparams(figures=[figure.name for figure in FIGURES], no_day=NO_DAY)
