"""The holding period of a reward and the periods of a budget."""

from datetime import datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from app.brands.programme import HoldFrom

UNKNOWN_DELIVERY = timedelta(days=30)
"""After the payment an order counts as delivered where no delivery is known."""


def hold_end(
    paid_at: datetime, delivered_at: datetime | None, hold_from: HoldFrom, hold_days: int
) -> datetime:
    """The end of the holding period: `hold_days` after the payment or the delivery.

    While no delivery is known it is counted from `UNKNOWN_DELIVERY` after the payment.
    """
    match hold_from:
        case HoldFrom.paid:
            start = paid_at
        case HoldFrom.delivered:
            start = paid_at + UNKNOWN_DELIVERY if delivered_at is None else delivered_at
        case _:
            assert_never(hold_from)
    return start + timedelta(days=hold_days)


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
