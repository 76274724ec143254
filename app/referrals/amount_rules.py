"""What a code takes off an order, and what is left of a reward after refunds."""

from decimal import Decimal
from typing import assert_never

from app.base import money
from app.brands.programme import DiscountKind, PartialRefund
from app.orders.rules import remaining_total


def minor_of(value: Decimal, currency: str) -> int:
    """A decimal of the terms in minor units, rounded down where the currency has fewer decimals."""
    return int(value.scaleb(money.exponent(currency)))


def amount_text(value: Decimal, currency: str) -> str:
    """A decimal of the terms as text: `10.00 EUR`, `800 JPY`."""
    return str(money.Money(minor_of(value, currency), currency))


def amount_off(
    kind: DiscountKind, value: Decimal, subtotal: int, currency: str, *, discounted: int = 0
) -> int:
    """What the terms take off a subtotal, in minor units of `currency`; never more than there is.

    `discounted` is what the shop took off the order in all; more than that is never counted, since
    a platform may send the subtotal after discounts or take less. 0 means unknown: a checkout that
    validates before the order has no discount yet.
    """
    match kind:
        case DiscountKind.percent:
            off = money.percent_of(subtotal, value)
        case DiscountKind.amount:
            off = min(subtotal, minor_of(value, currency))
        case _:
            assert_never(kind)
    return min(off, discounted) if discounted > 0 else off


def leaked(
    kind: DiscountKind, value: Decimal, subtotal: int, discounted: int, *, code_currency: str, currency: str
) -> int:
    """What a refused code took off nevertheless; 0 where the shop reports no discount."""
    if kind is DiscountKind.amount and code_currency != currency:
        return discounted
    return min(discounted, amount_off(kind, value, subtotal, currency))


def net_reward(
    reward: int, total: int, refunded: int, *, cancelled: bool, how: PartialRefund, minimum: int | None
) -> int:
    """What is left of a reward, in minor units, whatever the order in which the facts came.

    Proportional: `floor(reward × remaining ÷ total)`. Threshold: whole while `remaining` ≥
    `minimum` (None: while anything remains), else 0. An order with a total of 0 keeps its reward
    until it is cancelled.
    """
    remaining = remaining_total(total, refunded, cancelled=cancelled)
    if cancelled:
        return 0
    match how:
        case PartialRefund.proportional:
            return reward * remaining // total if total > 0 else reward
        case PartialRefund.threshold:
            wanted = max(minimum or 0, min(total, 1))
            return reward if remaining >= wanted else 0
        case _:
            assert_never(how)


def is_undone(total: int, refunded: int, *, cancelled: bool) -> bool:
    """Whether nothing is left of an order: cancelled, or refunded wholly.

    A free order without refunds is not.
    """
    return cancelled or (refunded > 0 and remaining_total(total, refunded, cancelled=False) == 0)
