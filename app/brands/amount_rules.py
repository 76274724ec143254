"""How the terms name money: one decimal for every currency, or one for each."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, PlainSerializer, Tag

from app.base import money


def _number(value: object) -> object:
    if isinstance(value, (bool, float)):
        # A float has already lost what the sender meant; a whole one is harmless.
        if isinstance(value, float) and value.is_integer():
            return int(value)
        raise ValueError('write amounts as decimal strings such as "10.00"')
    return value


Decimals = Annotated[
    Decimal,
    Field(ge=0, max_digits=15, decimal_places=3),
    PlainSerializer(lambda value: f"{value:f}", return_type=str),
]
"""A decimal amount in the shop's currency, or a percentage; a string in JSON."""


def _known_currency(code: str) -> str:
    money.exponent(code)
    return code


Currency = Annotated[str, AfterValidator(_known_currency)]
"""An ISO 4217 code."""


def _numbers(value: object) -> object:
    if isinstance(value, Mapping):
        return {code: _number(amount) for code, amount in value.items()}
    return _number(value)


Amounts = Annotated[
    Annotated[Decimals, Tag("amount")]
    | Annotated[dict[Currency, Decimals], Field(min_length=1, max_length=200), Tag("by_currency")],
    Discriminator(lambda value: "by_currency" if isinstance(value, Mapping) else "amount"),
    BeforeValidator(_numbers),
]
"""Money of the terms: one decimal for every currency, or `{"EUR": "10.00", "CHF": "11.00"}`."""


def amount_in(value: Amounts, currency: str) -> Decimal | None:
    """The amount in a currency, in major units; None where the terms have none in it."""
    return value.get(currency) if isinstance(value, dict) else value
