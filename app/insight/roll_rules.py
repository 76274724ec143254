"""When roll-ups are made, and of which days together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

NO_DAY = date(1000, 1, 1)
"""The day of what counts in no period, but in all time: referrers who came by no response."""
FOREVER = date(9000, 1, 1)
"""The `until` of what no later row can take out of a period.

Neither is the calendar's first or last day, which the driver takes for infinity."""
ROLLED_FROM = 10_000
"""Brands of more orders than these have roll-ups; those of fewer are counted from their rows."""
VERSION = 4
"""Raised where a figure is added or counts something else: then all days are computed anew."""
SLICE_DAYS = 31
"""Days computed in one transaction."""
_GAP = timedelta(days=3)
"""Days so near to each other are computed by one query, and those between them with them."""
_SHORTEST, _LONGEST = timedelta(minutes=2), timedelta(minutes=15)
_TIMES = 100
"""The pause after a round is this many times as long as the round took."""
LOOKED_AT_AGAIN = timedelta(minutes=10)
"""How long a brand without roll-ups is left alone."""


class Span(StrEnum):
    """What a row of figures covers."""

    day = "day"
    month = "month"
    """The rows of a month by the day until which they count; without those that count forever."""
    months = "months"
    """All rows of a month by the month until which they count, its first day."""


@dataclass(frozen=True, slots=True)
class DayRange:
    """Days from `first` to `last`, both included."""

    first: date
    last: date


def ranges_of(days: Collection[date]) -> list[DayRange]:
    """Ranges that hold these days and perhaps some between them; `NO_DAY` is left out."""
    ranges: list[DayRange] = []
    for day in sorted(set(days) - {NO_DAY}):
        if ranges and day - ranges[-1].last <= _GAP:
            ranges[-1] = DayRange(ranges[-1].first, day)
        else:
            ranges.append(DayRange(day, day))
    return ranges


def days_in(ranges: Sequence[DayRange]) -> list[date]:
    """Every day of these ranges."""
    return [
        each.first + timedelta(days=number)
        for each in ranges
        for number in range((each.last - each.first).days + 1)
    ]


def last_of(month: date) -> date:
    """The last day of the month that begins on this day."""
    return (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def months_of(ranges: Sequence[DayRange]) -> list[date]:
    """The first days of the months that hold days of these ranges."""
    months = set()
    for each in ranges:
        month = each.first.replace(day=1)
        while month <= each.last:
            months.add(month)
            month = (month + timedelta(days=32)).replace(day=1)
    return sorted(months)


def pause_after(seconds: float) -> timedelta:
    """How long nothing is computed after a round that took so long."""
    return min(max(_TIMES * timedelta(seconds=seconds), _SHORTEST), _LONGEST)
