"""The holding period of a reward and the periods of a budget."""

from datetime import datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from app.brands.programme import HoldFrom


def hold_end(
    paid_at: datetime, delivered_at: datetime | None, hold_from: HoldFrom, hold_days: int
) -> datetime | None:
    """The end of the holding period; None while the fact from which it is counted has not come."""
    match hold_from:
        case HoldFrom.paid:
            start: datetime | None = paid_at
        case HoldFrom.delivered:
            start = delivered_at
        case _:
            assert_never(hold_from)
    return None if start is None else start + timedelta(days=hold_days)


def period_of(at: datetime, period: str, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """The budget period that contains `at`, as start and (exclusive) end in the brand's zone.

    `period` is `day week month year`; None for `total`, which has neither.
    """
    day = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return day, day + timedelta(days=1)
        case "week":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case "month":
            first = day.replace(day=1)
            return first, (first + timedelta(days=32)).replace(day=1)
        case "year":
            return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
        case _:
            return None
