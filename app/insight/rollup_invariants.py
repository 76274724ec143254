"""The invariant of the roll-ups: a day that nothing changed since is what its rows say."""

from collections.abc import Collection, Sequence
from datetime import date
from hashlib import md5
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import clock
from app.base.models import TouchedRows
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.brands.rules import zone_or
from app.insight.figure_types import Figure, Slice
from app.insight.figures import FIGURES, query_values
from app.insight.invariant_types import ComputedInvariant, ViolatingRow
from app.insight.models import DailyFigure, DirtyDay, Rollup
from app.insight.roll import MONTH_ROWS, slice_of
from app.insight.roll_rules import NO_DAY, VERSION, DayRange
from app.insight.touched_days import ALL_DAYS, Touched, days_of

MOST_DAYS = 12
"""Days of a brand that are computed again for the comparison, others on each day."""
_Counted = tuple[date, date, UUID, str, tuple[int, ...]]


async def _find_days(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    found = await session.execute(
        select(Rollup.brand_id, Rollup.time_zone)
        .join(Brand, Brand.id == Rollup.brand_id)
        .where(Rollup.built_at.is_not(None), Rollup.time_zone == Brand.time_zone, Rollup.version == VERSION)
        .order_by(Rollup.brand_id)
    )
    violating: list[ViolatingRow] = []
    for brand_id, time_zone in found.all():
        zone = zone_or(time_zone, "UTC").key
        for day in await _sample(session, brand_id, zone):
            slice_ = Slice.no_day() if day == NO_DAY else slice_of([DayRange(day, day)], zone)
            for figure in FIGURES:
                stored = await _stored(session, brand_id, figure, day)
                if stored != await _computed(session, brand_id, zone, figure, slice_):
                    violating += [(brand_id, f"{figure.name}, {day}")]
    return sorted(violating)


async def _sample(session: AsyncSession, brand_id: int, zone: str) -> Sequence[date]:
    """Some of the days on which something counts, or did, without those to be computed again."""
    known: set[date] = set(await session.scalars(text(ALL_DAYS), {"brand": brand_id, "zone": zone}))
    stored = select(DailyFigure.day).where(DailyFigure.brand_id == brand_id, DailyFigure.span == "day")
    known.update(await session.scalars(stored.distinct()))
    days = sorted(known - set(await _dirty(session, brand_id, zone)))
    today = clock.now().date()
    return sorted(days, key=lambda day: md5(f"{day} {today}".encode(), usedforsecurity=False).digest())[
        :MOST_DAYS
    ]


async def _dirty(session: AsyncSession, brand_id: int, zone: str) -> Collection[date]:
    notes = await session.execute(
        select(TouchedRows.table_name, TouchedRows.row_ids, TouchedRows.moments).where(
            TouchedRows.brand_id == brand_id
        )
    )
    noted = await days_of(session, brand_id, zone, Touched.of(notes.all()))
    marked = await session.scalars(select(DirtyDay.day).where(DirtyDay.brand_id == brand_id))
    return {*noted, *marked}


async def _stored(session: AsyncSession, brand_id: int, figure: Figure, day: date) -> set[_Counted]:
    found = await session.execute(
        select(
            DailyFigure.day, DailyFigure.until, DailyFigure.shop_id, DailyFigure.key, DailyFigure.counts
        ).where(
            DailyFigure.brand_id == brand_id,
            DailyFigure.figure == figure.name,
            DailyFigure.span == "day",
            DailyFigure.day == day,
        )
    )
    return {(*row[:4], tuple(row.counts)) for row in found}


async def _computed(
    session: AsyncSession, brand_id: int, zone: str, figure: Figure, slice_: Slice
) -> set[_Counted]:
    found = await session.execute(text(figure.query(slice_)), query_values(brand_id, slice_, zone))
    return {_counted(row, figure) for row in found}


def _counted(row: Row[Any], figure: Figure) -> _Counted:
    return (row.day, row.until, row.shop_id, row.key, tuple(getattr(row, name) for name in figure.columns))


async def _find_months(session: AsyncSession, _tokens: Tokens) -> list[ViolatingRow]:
    brands = await session.scalars(select(Rollup.brand_id).where(Rollup.built_at.is_not(None)))
    violating: set[ViolatingRow] = set()
    for brand_id in brands.all():
        stored = await session.execute(_MONTHS, {"brand": brand_id})
        summed = await session.execute(_SUMS, {"brand": brand_id, "no_day": NO_DAY})
        differing = {_month(row) for row in stored} ^ {_month(row) for row in summed}
        violating.update((brand_id, f"{figure}, month of {day}") for _, figure, day, *_ in differing)
    return sorted(violating)


_MONTHS = text("""
    SELECT span, figure, day, until, shop_id, key, counts FROM daily_figures
    WHERE brand_id = :brand AND span IN ('month', 'months')
""")
_SUMS = text(MONTH_ROWS.format(""))


def _month(row: Row[Any]) -> tuple[Any, ...]:
    return (*row[:6], tuple(row.counts))


INVARIANTS = (
    ComputedInvariant(
        "figures_follow_the_rows",
        "a day's figures are what its rows say, where no change of them waits to be counted",
        _find_days,
    ),
    ComputedInvariant("months_add_up", "a month's figures are the sums of its days", _find_months),
)
