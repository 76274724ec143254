"""Periods: half-open intervals of time, read in the brand's zone."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.base.errors import AppError
from app.base.ids import id_at
from app.base.text import quoted

_YEARS = range(1970, 2201)
"""Years that can be asked for: far enough from either end of the calendar for zones, the period
before and a day of slack."""
_LONG_DAYS = 400


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (included) to `end` (excluded), aware UTC; None is open on that side."""

    start: datetime | None = None
    end: datetime | None = None


def read_period(start: str | None, end: str | None, zone: str) -> Period:
    """The period between two dates or times.

    What names no zone is in `zone`; a date is its first moment there. Raises AppError
    (`bad_period`) for what cannot be read, for a year before 1970 or after 2200, and for an end
    before the start.
    """
    period = Period(_read(start, zone), _read(end, zone))
    if period.start and period.end and period.end < period.start:
        raise AppError("bad_period", "The period ends before it starts; swap from and to.")
    return period


def last_days(days: int, zone: str, *, now: datetime) -> Period:
    """The last `days` whole days in the zone, today included."""
    tomorrow = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    return Period(midnight(tomorrow - timedelta(days=days), zone), midnight(tomorrow, zone))


def before(period: Period, zone: str) -> Period | None:
    """The period of equal length just before; None for one that is open.

    Of whole days in the zone it is as many days, though not of as many hours where clocks change.
    """
    if period.start is None or period.end is None:
        return None
    first, end = (day_beginning(moment, zone) for moment in (period.start, period.end))
    if first is not None and end is not None:
        return Period(midnight(first - (end - first), zone), period.start)
    return Period(period.start - (period.end - period.start), period.start)


def day_beginning(moment: datetime, zone: str) -> date | None:
    """The day in the zone whose first moment it is, if any."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    return day if midnight(day, zone) == moment else None


def is_short(period: Period) -> bool:
    """Whether a line of the period has a point a week; of a longer one it has a point a month."""
    return period.start is not None and (period.end is None or (period.end - period.start).days < _LONG_DAYS)


def within(column: str, period: Period) -> str:
    """The SQL condition that a column lies in the period.

    It binds `start` and `end` where they are given.
    """
    sides = [f"{column} >= :start"] * (period.start is not None) + [f"{column} < :end"] * (
        period.end is not None
    )
    return " AND ".join(sides) or "true"


def id_binds(period: Period) -> dict[str, UUID]:
    """Ids between which the rows of a period lie: `first` (included) and `last` (excluded).

    An id begins with the time it was made (UUIDv7), so its index narrows a search. A day is added
    on either side, which is more than clocks differ; the row's own time decides exactly.
    """
    ids = {}
    if period.start is not None:
        ids["first"] = id_at(period.start - timedelta(days=1))
    if period.end is not None:
        ids["last"] = id_at(period.end + timedelta(days=1))
    return ids


def binds(brand_id: int, period: Period) -> dict[str, Any]:
    """The values that a query over a period binds: `brand`, and those of `within`."""
    sides = {"start": period.start, "end": period.end}
    return {"brand": brand_id, **{name: value for name, value in sides.items() if value is not None}}


def midnight(day: date, zone: str) -> datetime:
    """The first moment of a day in the zone, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _read(text: str | None, zone: str) -> datetime | None:
    if not text:
        return None
    try:
        if len(text) == len("2026-03-10"):
            moment = datetime.combine(date.fromisoformat(text), time())
        else:
            # A plus sign that was not escaped arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except (ValueError, OverflowError):
        raise AppError(
            "bad_period", f"{quoted(text)} is no date or time; write 2026-03-10 or 2026-03-10T12:00:00+01:00."
        ) from None
    if moment.year not in _YEARS:
        raise AppError("bad_period", f"A period lies between the years {_YEARS.start} and {_YEARS.stop - 1}.")
    aware = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return aware.astimezone(UTC)
