"""Numbers, amounts, times, languages and countries as texts of the dashboard."""

from datetime import date, datetime
from decimal import Decimal

from app.admin.rules import Role
from app.base import money
from app.base.i18n import (
    N_,
    SOURCE,
    parse_locale,
    regional_locale,
    shown_decimal,
    shown_percent,
    skeleton_date,
    translate,
)
from app.insight.nps import ENOUGH, Counts, Interval, interval

ROLE_NAMES = {
    Role.viewer: N_("viewer"),
    Role.support: N_("support"),
    Role.marketer: N_("marketer"),
    Role.admin: N_("administrator"),
}
UNKNOWN = "–"
"""The text of a missing value."""


def points_text(value: float | None) -> str:
    """A score in whole points, with a minus sign as wide as the digits."""
    return UNKNOWN if value is None else f"{value:.0f}".replace("-0", "0").replace("-", "\N{MINUS SIGN}")


def percent_text(fraction: float | None, language: str) -> str:
    """`12.3%` for 0.123."""
    if fraction is None:
        return UNKNOWN
    return shown_percent(round(Decimal(100 * fraction), 1), language)


def certainty_text(counts: Counts, language: str) -> str:
    """`12 to 34 with 95% certainty`; below `ENOUGH` answers that these are too few."""
    found = interval(counts)
    if found is None:
        return translate(language, "no answers yet")
    if counts.responses < ENOUGH:
        return too_few_text(counts.responses, language)
    low, high = _ends(found)
    return translate(language, "%(low)s to %(high)s with 95%% certainty", low=low, high=high)


def too_few_text(responses: int, language: str) -> str:
    """`too few to say (1 of 30)`: an interval of so few answers may not even include the score."""
    return translate(language, "too few to say (%(count)s of %(enough)s)", count=responses, enough=ENOUGH)


def interval_text(counts: Counts, language: str) -> str:
    """`12 to 34`; below `ENOUGH` answers that these are too few."""
    found = interval(counts)
    if found is None:
        return UNKNOWN
    if counts.responses < ENOUGH:
        return too_few_text(counts.responses, language)
    low, high = _ends(found)
    return translate(language, "%(low)s to %(high)s", low=low, high=high)


def _ends(found: Interval) -> tuple[str, str]:
    """Its ends in whole points; in tenths where these are the same."""
    low, high = points_text(found.low), points_text(found.high)
    if low != high:
        return low, high
    return tenths_text(found.low), tenths_text(found.high)


def tenths_text(value: float) -> str:
    """A score in tenths of a point, as `points_text` writes it."""
    return f"{value:.1f}".replace("-0.0", "0.0").replace("-", "\N{MINUS SIGN}")


def duration_text(seconds: float, language: str) -> str:
    """Seconds below two minutes, minutes below two hours, else hours."""
    if seconds < 120:
        return translate(language, "%(count)s s", count=f"{seconds:.1f}")
    if seconds < 7200:
        return translate(language, "%(count)s min", count=f"{seconds / 60:.0f}")
    return translate(language, "%(count)s h", count=f"{seconds / 3600:.0f}")


def rounded_amount_text(minor: int, currency: str, language: str) -> str:
    """`€1,234`; with the minor units below 1,000, where a narrow card has space for them."""
    amount = money.to_decimal(minor, currency)
    return shown_decimal(amount.quantize(Decimal(1)) if amount >= 1000 else amount, currency, language)


def language_text(locale: str) -> str:
    """`German` for `de`; what is no locale as it is."""
    found = parse_locale(locale)
    return (found and found.get_display_name(SOURCE)) or locale


def country_text(code: str) -> str:
    """`Germany` for `DE`; what is no country as it is."""
    return str(regional_locale(SOURCE).territories.get(code.upper(), code))


def short_day_text(day: date, language: str) -> str:
    """`3 Mar 2026`, for columns."""
    return skeleton_date(day, "yMMMd", language)


def moment_text(at: datetime, language: str, skeleton: str = "yMMMd") -> str:
    """`3 Mar 2026, 14:05`: a date by a CLDR skeleton and the time, in the language."""
    return f"{skeleton_date(at.date(), skeleton, language)}, {at.hour:02}:{at.minute:02}"
