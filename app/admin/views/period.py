"""The period of a screen, as its address has it: some last days, all time, or two dates."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from app.base.errors import AppError
from app.base.i18n import N_, SOURCE, long_date, skeleton_date, translate
from app.insight.periods import Period, day_beginning, last_days, read_period

DEFAULT_DAYS = "90"
_LESS = {"/admin/answers": 1, "/admin/orders": 0}
"""Lists by date, with how many days before the end of a period their last day is."""


@dataclass(frozen=True, slots=True)
class Span:
    """A length that can be chosen: the text of the choice and the key that chooses it."""

    days: str
    name: str
    key: str


_ALL_TIME = N_("All time")
SPANS = (
    Span("1", N_("Today"), "d"),
    Span("7", N_("7 days"), "w"),
    Span("30", N_("30 days"), "m"),
    Span("90", N_("90 days"), "q"),
    Span("365", N_("1 year"), "y"),
    Span("all", _ALL_TIME, "a"),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The period in force; `days` is empty for one that two dates say."""

    days: str
    period: Period
    text: str
    """`28 August to 25 November 2026`: a year that both days have is said once."""


def chosen_period(
    days: str | None, start: str | None, end: str | None, zone: str, *, now: datetime
) -> Chosen | None:
    """The period of an address; None for one that cannot be read.

    Dates are in the zone and include the last day. Without any it is the last 90 days.
    """
    if start or end:
        try:
            period = read_period(start, day_after(end), zone)
        except AppError:
            return None
        return Chosen("", period, _text(period, zone))
    known = days if days in {span.days for span in SPANS} else DEFAULT_DAYS
    period = Period() if known == "all" else last_days(int(known), zone, now=now)
    return Chosen(known, period, _text(period, zone))


def day_after(end: str | None) -> str | None:
    """A date as the end that is excluded; anything else is left to its reader."""
    try:
        return (date.fromisoformat(end or "") + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return end


def _text(period: Period, zone: str) -> str:
    def day(at: datetime) -> str:
        return long_date(at.astimezone(ZoneInfo(zone)).date(), SOURCE)

    last = period.end - timedelta(seconds=1) if period.end else None
    if period.start and last:
        first = period.start.astimezone(ZoneInfo(zone)).date()
        start, end = day(period.start), day(last)
        if start != end and first.year == last.astimezone(ZoneInfo(zone)).year:
            start = skeleton_date(first, "MMMMd", SOURCE)
        return start if start == end else translate(SOURCE, "%(start)s to %(end)s", start=start, end=end)
    if period.start:
        return translate(SOURCE, "since %(day)s", day=day(period.start))
    if last:
        return translate(SOURCE, "until %(day)s", day=day(last))
    return translate(SOURCE, _ALL_TIME)


def dated_path(path: str, period: Period, zone: str) -> str:
    """A list's address with the days of the period, so that it has the rows of a figure.

    Unchanged for a period that is not of whole days, and for lists without dates.
    """
    less = _LESS.get(path.partition("?")[0])
    found = {
        name: day_beginning(moment, zone)
        for name, moment in (("from", period.start), ("to", period.end))
        if moment is not None
    }
    if less is None or not found or None in found.values():
        return path
    days = {name: day - timedelta(days=less * (name == "to")) for name, day in found.items() if day}
    return f"{path}{'&' if '?' in path else '?'}{urlencode(days)}"
