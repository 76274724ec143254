"""What a code takes off an order, and what is left of a reward after refunds."""

from decimal import Decimal
from typing import assert_never

from app.base import money
from app.brands.programme import DiscountKind, PartialRefund
from app.orders.rules import OrderMoney


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


def booked_discount(
    kind: DiscountKind,
    value: Decimal,
    *,
    stated: int | None,
    counts: bool,
    subtotal: int,
    discounted: int,
    code_currency: str,
    currency: str,
) -> int:
    """What a code took off an order, in minor units of `currency`.

    What the shop states of this code is believed; else it follows from the code's terms, and for a
    code that does not count from what the shop took off in all.
    """
    if stated is not None:
        return stated
    if counts:
        return amount_off(kind, value, subtotal, currency, discounted=discounted)
    return leaked(kind, value, subtotal, discounted, code_currency=code_currency, currency=currency)


def net_reward(reward: int, order: OrderMoney, *, how: PartialRefund, minimum: int | None) -> int:
    """What is left of a reward, in minor units, whatever the order in which the facts came.

    Proportional: `floor(reward × remaining ÷ goods)`. Threshold: whole while `remaining` ≥
    `minimum` (None: while anything remains), else 0. An order without goods to pay keeps its reward
    until nothing is left of it.
    """
    if order.is_undone:
        return 0
    match how:
        case PartialRefund.proportional:
            return reward * order.remaining // order.goods if order.goods > 0 else reward
        case PartialRefund.threshold:
            wanted = max(minimum or 0, min(order.goods, 1))
            return reward if order.remaining >= wanted else 0
        case _:
            assert_never(how)
