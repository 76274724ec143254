"""Calendar years and months of times. Pure."""

import calendar
from datetime import datetime

YEARS = range(1970, 2201)
"""In which a time lies that anybody means."""


def months_before(at: datetime, months: int) -> datetime:
    """The same day and time this many months earlier, or the last day of a shorter month."""
    years, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    last_day = calendar.monthrange(years, month + 1)[1]
    return at.replace(year=years, month=month + 1, day=min(at.day, last_day))
