"""Numbers, amounts and times as texts of the dashboard."""

from datetime import datetime

from babel.dates import format_skeleton

from app.base import money
from app.base.i18n import regional_locale, translate
from app.insight.nps import Interval

UNKNOWN = "–"
"""The text of a missing value."""


def points_text(value: float | None) -> str:
    """A score in whole points, with a minus sign as wide as the digits."""
    return UNKNOWN if value is None else f"{value:.0f}".replace("-0", "0").replace("-", "\N{MINUS SIGN}")


def percent_text(fraction: float | None) -> str:
    """`12.3 %` for 0.123."""
    return UNKNOWN if fraction is None else f"{100 * fraction:.1f} %"


def certainty_text(found: Interval | None, language: str) -> str:
    """`12 to 34 with 95 % certainty`."""
    if found is None:
        return translate(language, "no answers yet")
    low, high = points_text(found.low), points_text(found.high)
    return translate(language, "%(low)s to %(high)s with 95 %% certainty", low=low, high=high)


def interval_text(found: Interval | None, language: str) -> str:
    """`12 to 34`."""
    if found is None:
        return UNKNOWN
    low, high = points_text(found.low), points_text(found.high)
    return translate(language, "%(low)s to %(high)s", low=low, high=high)


def duration_text(seconds: float, language: str) -> str:
    """Seconds below two minutes, minutes below two hours, else hours."""
    if seconds < 120:
        return translate(language, "%(count)s s", count=f"{seconds:.1f}")
    if seconds < 7200:
        return translate(language, "%(count)s min", count=f"{seconds / 60:.0f}")
    return translate(language, "%(count)s h", count=f"{seconds / 3600:.0f}")


def amount_text(minor: int, currency: str) -> str:
    """`1,234.50 EUR` of an amount in minor units."""
    places = money.exponent(currency)
    return f"{money.to_decimal(minor, currency):,.{places}f} {currency}"


def rounded_amount_text(minor: int, currency: str) -> str:
    """`1,234 EUR`; with the minor units below 1,000, where a narrow card has space for them."""
    amount = money.to_decimal(minor, currency)
    return f"{amount:,.0f} {currency}" if amount >= 1000 else amount_text(minor, currency)


def moment_text(at: datetime, language: str, skeleton: str = "yMMMd") -> str:
    """`3 Mar 2026, 14:05`: a date by a CLDR skeleton and the time, in the language."""
    return f"{format_skeleton(skeleton, at, locale=regional_locale(language))}, {at:%H:%M}"
