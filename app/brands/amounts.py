"""Check the amounts of a programme against the currencies they are used in, and its dates."""

from collections.abc import Collection
from decimal import Decimal

from app.base import money
from app.base.errors import AppError
from app.base.months import YEARS
from app.brands.programme import Programme


def check_amounts(programme: Programme, currencies: Collection[str]) -> None:
    """Raise `AppError` `bad_amount` for an amount with more decimals than its currency has.

    One decimal is used in each of these currencies, the shops'; a map in those it names.
    """
    for place, value in programme.amounts():
        by_currency = value if isinstance(value, dict) else dict.fromkeys(sorted(currencies), value)
        for currency, amount in by_currency.items():
            _check(place, currency, amount)


def check_dates(programme: Programme, present: Programme) -> None:
    """Raise `AppError` `bad_time` for a new date that nobody can mean; others stay as they are."""
    for place in ("starts_at", "ends_at"):
        at, before = getattr(programme, place), getattr(present, place)
        if at is not None and at != before and at.year not in YEARS:
            raise AppError(
                "bad_time",
                f"{place}: it must lie between the years {YEARS.start} and {YEARS.stop - 1}; null is no date.",
            )


def _check(place: str, currency: str, amount: Decimal) -> None:
    try:
        money.parse(amount, currency)
    except money.MoneyError as error:
        raise AppError(
            "bad_amount", f'{place}: {error}; give each currency its own, as in {{"EUR": "10.00"}}.'
        ) from None
