"""Every figure, and how one is read: from roll-ups where a brand has them, else from its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.brands.rules import zone_or
from app.insight import (
    activity_figures,
    band_figures,
    funnel_figures,
    message_figures,
    promoter_figures,
    response_figures,
)
from app.insight.figure_types import Figure, Slice
from app.insight.models import Rollup
from app.insight.periods import Period, day_beginning
from app.insight.roll_rules import FOREVER, NO_DAY, VERSION

FIGURES: tuple[Figure, ...] = (
    *response_figures.FIGURES,
    *message_figures.FIGURES,
    *funnel_figures.FIGURES,
    *activity_figures.FIGURES,
    *promoter_figures.FIGURES,
    *band_figures.FIGURES,
)
"""Every figure; names are unique."""
Counted = Mapping[str, Any]
"""A figure's columns, each an int, with the `key` (a text) or the `shop_id` that they are of."""
_FIRST_DAY = NO_DAY + timedelta(days=1)
_STANDS = "until >= :until"
_PARTS = (
    ("day", "first", "months_from", _STANDS),
    ("months", "months_from", "months_until", "until >= :until_month"),
    ("month", "months_from", "months_until", f"{_STANDS} AND until < :until_month"),
    ("day", "months_until", "last", _STANDS),
)
"""What a period is added up from: the span of the rows, between which days, and which stand."""
_NO_DAY_PART = ("day", "no_day", "first", _STANDS)


@dataclass(frozen=True, slots=True)
class Days:
    """A period of whole days, the end excluded; None is open on that side."""

    start: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class DayRanges:
    """Whole months in the middle of a period, and days on either side; ends are excluded."""

    first: date
    months_from: date
    months_until: date
    last: date


async def rolled_as_of(session: AsyncSession, brand: Brand, period: Period) -> datetime | None:
    """What was committed by when is in the period's figures; None where they are of this moment.

    They come from roll-ups where the brand has them and the period is of whole days.
    """
    if whole_days(period, brand.time_zone) is None:
        return None
    return await session.scalar(
        select(Rollup.as_of).where(
            Rollup.brand_id == brand.id,
            Rollup.built_at.is_not(None),
            Rollup.time_zone == brand.time_zone,
            Rollup.version == VERSION,
        )
    )


async def read_figure(
    session: AsyncSession, brand: Brand, figure: Figure, period: Period, shop_id: UUID | None = None
) -> list[Counted]:
    """The figure's columns over the period, a row a key (`key`); of one shop where one is given."""
    (found,) = await read_figures(session, brand, [figure], period, shop_id)
    return found


async def read_figures(
    session: AsyncSession,
    brand: Brand,
    figures: Sequence[Figure],
    period: Period,
    shop_id: UUID | None = None,
) -> list[list[Counted]]:
    """The same of several figures, in their order; from roll-ups they are one query."""
    return await _read(session, brand, figures, period, "key", shop_id)


async def read_by_shop(session: AsyncSession, brand: Brand, figure: Figure, period: Period) -> list[Counted]:
    """The figure's columns over the period, a row a shop (`shop_id`)."""
    (found,) = await _read(session, brand, [figure], period, "shop_id", None)
    return found


async def _read(
    session: AsyncSession,
    brand: Brand,
    figures: Sequence[Figure],
    period: Period,
    by: str,
    shop_id: UUID | None,
) -> list[list[Counted]]:
    if await rolled_as_of(session, brand, period) is not None:
        return await _from_rollups(session, brand, figures, period, by, shop_id)
    return [await _from_rows(session, brand, figure, period, by, shop_id) for figure in figures]


async def _from_rows(
    session: AsyncSession, brand: Brand, figure: Figure, period: Period, by: str, shop_id: UUID | None
) -> list[Counted]:
    sums = ", ".join(f"sum(found.{name})::bigint AS {name}" for name in figure.columns)
    slice_ = Slice((period,), with_unsurveyed=period == Period())
    query = f"""
        SELECT found.{by}, {sums} FROM ({figure.query(slice_)}) AS found
        {"" if shop_id is None else "WHERE found.shop_id = :shop"} GROUP BY 1
    """
    values = {**query_values(brand.id, slice_, brand.time_zone), "shop": shop_id}
    return [dict(row) for row in (await session.execute(text(query), values)).mappings()]


async def _from_rollups(
    session: AsyncSession,
    brand: Brand,
    figures: Sequence[Figure],
    period: Period,
    by: str,
    shop_id: UUID | None,
) -> list[list[Counted]]:
    days = whole_days(period, brand.time_zone)
    if days is None:
        raise ValueError("roll-ups know whole days alone")
    ranges = day_ranges(days)
    parts = (*_PARTS, _NO_DAY_PART) if days == Days(None, None) else _PARTS
    places = range(1, max(len(figure.columns) for figure in figures) + 1)
    rows = " UNION ALL ".join(
        f"""SELECT figure, {by}, counts FROM daily_figures WHERE brand_id = :brand
            AND figure = ANY(CAST(:figures AS text[])) AND span = '{span}'
            AND day >= :{start} AND day < :{end} AND {stands}
            {"" if shop_id is None else "AND shop_id = :shop"}"""
        for span, start, end, stands in parts
    )
    found = await session.execute(
        text(f"""
            SELECT figure, {by}, {", ".join(f"sum(counts[{place}])::bigint" for place in places)}
            FROM ({rows}) AS found GROUP BY 1, 2
        """),
        {
            "brand": brand.id,
            "figures": [figure.name for figure in figures],
            "shop": shop_id,
            "first": ranges.first,
            "months_from": ranges.months_from,
            "months_until": ranges.months_until,
            "last": ranges.last,
            "no_day": NO_DAY,
            "until": ranges.last,
            "until_month": _month_from(ranges.last),
        },
    )
    of_figure: dict[str, list[Counted]] = {figure.name: [] for figure in figures}
    columns = {figure.name: figure.columns for figure in figures}
    for name, key, *sums in found:
        of_figure[name].append({by: key, **dict(zip(columns[name], sums, strict=False))})
    return [of_figure[figure.name] for figure in figures]


def query_values(brand_id: int, slice_: Slice, zone: str) -> dict[str, Any]:
    """What a figure's query binds."""
    return {"brand": brand_id, "zone": zone_or(zone, "UTC").key, **slice_.values}


def whole_days(period: Period, zone: str) -> Days | None:
    """The period's days in the zone; None where it begins or ends inside of a day."""
    known = zone_or(zone, "UTC").key
    start, end = (
        None if moment is None else day_beginning(moment, known) for moment in (period.start, period.end)
    )
    if (start is None) != (period.start is None) or (end is None) != (period.end is None):
        return None
    return Days(start, end)


def day_ranges(days: Days) -> DayRanges:
    """The whole months of these days, and the days before and after them."""
    first, last = days.start or _FIRST_DAY, days.end or FOREVER
    months_from = _FIRST_DAY if days.start is None else _month_from(first)
    months_until = FOREVER if days.end is None else last.replace(day=1)
    if months_from >= months_until:
        return DayRanges(first, last, last, last)
    return DayRanges(first, months_from, months_until, last)


def _month_from(day: date) -> date:
    """The first day of a month that is not before this day."""
    return day if day.day == 1 else (day.replace(day=1) + timedelta(days=32)).replace(day=1)
