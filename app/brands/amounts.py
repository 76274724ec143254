"""Check the amounts of a programme against the currencies they are used in."""

from collections.abc import Collection
from decimal import Decimal

from app.base import money
from app.base.errors import AppError
from app.brands.programme import Programme


def check_amounts(programme: Programme, currencies: Collection[str]) -> None:
    """Raise `AppError` `bad_amount` for an amount with more decimals than its currency has.

    One decimal is used in each of these currencies, the shops'; a map in those it names.
    """
    for place, value in programme.amounts():
        by_currency = value if isinstance(value, dict) else dict.fromkeys(sorted(currencies), value)
        for currency, amount in by_currency.items():
            _check(place, currency, amount)


def _check(place: str, currency: str, amount: Decimal) -> None:
    try:
        money.parse(amount, currency)
    except money.MoneyError as error:
        raise AppError(
            "bad_amount", f'{place}: {error}; give each currency its own, as in {{"EUR": "10.00"}}.'
        ) from None
