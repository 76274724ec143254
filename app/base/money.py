"""Money is whole minor units with a currency; decimals appear at the edges only."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache

from app.base.currencies import DECIMALS

MAX_MINOR = 10**15
"""The largest amount accepted, in minor units: a 64-bit column can hold sums of thousands of
them."""
_SHORT = 16
"""Characters of a text whose amount is remembered."""
_MAX_DIGITS = 60
"""More digits than any program computes with; a longer number is an attack."""
_TOO_LONG = f"the amount has more than {_MAX_DIGITS} digits"
_EXACT = Context(prec=2 * _MAX_DIGITS)


class MoneyError(ValueError):
    """An amount or currency that cannot be recorded; the message is a sentence for the sender."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of its currency."""

    minor: int
    currency: str

    def __str__(self) -> str:
        return f"{to_text(self.minor, self.currency)} {self.currency}"


def exponent(currency: str) -> int:
    """How many decimals the currency has by ISO 4217 (JPY 0, EUR 2, KWD 3).

    Raises `MoneyError` for an unknown one.
    """
    places = DECIMALS.get(currency)
    if places is None:
        raise MoneyError(f"{currency[:12]!r} is no ISO 4217 currency; use a code such as EUR")
    return places


def parse(value: str | int | Decimal, currency: str) -> int:
    """The exact minor units of a decimal amount.

    Raises `MoneyError` for anything that is not a finite decimal number, has more decimals than the
    currency, or is beyond reason. A sign is allowed: callers that accept no negative amount check
    that themselves. Floats are refused by type, so a JSON number has to be parsed as a decimal.
    """
    places = exponent(currency)
    number = parse_decimal(value)
    scaled = number.scaleb(places, _EXACT)
    if scaled != scaled.to_integral_value():
        raise MoneyError(f"{str(number)[:24]} has more decimals than {currency} has ({places})")
    if abs(scaled) > MAX_MINOR:
        raise MoneyError("the amount is larger than any order")
    return int(scaled)


def parse_rounded(value: str | int | Decimal, currency: str) -> int:
    """As `parse`, but decimals beyond the currency's are rounded half up.

    For what shops send: several compute taxes without rounding. Short texts are remembered, since a
    shop's prices come again and again.
    """
    if isinstance(value, str) and len(value) <= _SHORT:
        return _parse_short(value, currency)
    return _parse_rounded(value, currency)


def _parse_rounded(value: str | int | Decimal, currency: str) -> int:
    return rounded(parse_decimal(value), currency)


def rounded(number: Decimal, currency: str) -> int:
    """In minor units what `parse_decimal` returned, or a sum of such, rounded half up.

    Raises `MoneyError` where that is more than any order.
    """
    minor = round_half_up(number.scaleb(exponent(currency), _EXACT))
    if abs(minor) > MAX_MINOR:
        raise MoneyError("the amount is larger than any order")
    return minor


_parse_short = lru_cache(maxsize=8192)(_parse_rounded)


def round_half_up(number: Decimal) -> int:
    """The nearest whole number; of two that are equally near the one further from zero."""
    return int(number.to_integral_value(ROUND_HALF_UP))


def parse_decimal(value: str | int | Decimal) -> Decimal:
    """A finite decimal number of reasonable size, for an amount whose currency is not known yet.

    Raises `MoneyError` otherwise. Short texts are remembered, as by `parse_rounded`.
    """
    if isinstance(value, str) and len(value) <= _SHORT:
        return _parse_short_decimal(value)
    return _parse_decimal(value)


def _parse_decimal(value: str | int | Decimal) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise MoneyError('an amount must be a decimal string such as "80.00"')
    if isinstance(value, str) and len(value) > _MAX_DIGITS + 20:
        raise MoneyError(_TOO_LONG)
    try:
        number = Decimal(value.strip() if isinstance(value, str) else value)
    except InvalidOperation:
        raise MoneyError(f'{str(value)[:24]!r} is no amount; write it as "80.00"') from None
    if not number.is_finite():
        raise MoneyError(f"{str(number)[:24]} is no amount")
    if not number:
        # A zero may have an exponent of nine digits, and takes that many when it is written out.
        return Decimal(0)
    if not -20 < number.adjusted() < 20:
        raise MoneyError("the amount is larger or smaller than any order")
    if len(number.as_tuple().digits) > _MAX_DIGITS:
        raise MoneyError(_TOO_LONG)
    return number


_parse_short_decimal = lru_cache(maxsize=8192)(_parse_decimal)


def to_decimal(minor: int, currency: str) -> Decimal:
    """The amount in major units, with the currency's number of decimals."""
    return Decimal(minor).scaleb(-exponent(currency))


def to_text(minor: int, currency: str) -> str:
    """The amount as a decimal string for the API and messages.

    `8.00` (EUR), `800` (JPY), `8.000` (KWD).
    """
    return f"{to_decimal(minor, currency):f}"


def percent_of(minor: int, percent: Decimal) -> int:
    """A percentage of an amount, rounded half up to a whole minor unit."""
    return round_half_up(Decimal(minor) * percent / 100)
