"""When the weekly mail of figures is due, and which week it is about. Pure."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = 8
"""Of the day that somebody chose, in the brand's zone."""
WEEK = timedelta(days=7)
TOO_LATE = timedelta(days=2)
"""A mail that is late by more, as after an outage, is left out."""
_FIRST_MONDAY = date(1970, 1, 5)


def next_due(day: int, zone: str, *, after: datetime) -> datetime:
    """The next time that this day of the week (1 for Monday) has `HOUR` o'clock in the zone.

    Later than `after`, aware.
    """
    there = ZoneInfo(zone)
    today = after.astimezone(there).date()
    first = today + timedelta(days=(day - today.isoweekday()) % 7)
    due = datetime.combine(first, time(HOUR), there)
    return due if due > after else datetime.combine(first + WEEK, time(HOUR), there)


def week_before(due_at: datetime, zone: str) -> tuple[date, date]:
    """The first and the last of the seven whole days before the day of the mail."""
    day = due_at.astimezone(ZoneInfo(zone)).date()
    return day - WEEK, day - timedelta(days=1)


def number_of(due_at: datetime, zone: str) -> int:
    """The number of the mail's week since 1970, so that a person gets one a week at most."""
    return (due_at.astimezone(ZoneInfo(zone)).date() - _FIRST_MONDAY).days // 7
