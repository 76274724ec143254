"""What a code takes off an order, and what is left of a reward after refunds."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import assert_never

from app.base import money
from app.brands.amount_rules import Amounts, amount_in
from app.brands.programme import DiscountKind, OfferTerms, PartialRefund, Programme, RewardKind, RewardTerms
from app.orders.rules import OrderMoney


def minor_of(value: Decimal, currency: str) -> int:
    """A decimal of the terms in minor units, rounded down where the currency has fewer decimals."""
    return int(value.scaleb(money.exponent(currency)))


def minor_in(value: Amounts | None, currency: str) -> int | None:
    """An amount of the terms in minor units of a currency; None where they have none in it."""
    amount = None if value is None else amount_in(value, currency)
    return None if amount is None else minor_of(amount, currency)


def has_amounts(programme: Programme, currency: str) -> bool:
    """Whether every amount of the offer and reward terms is there in this currency."""
    return all(
        amount_in(value, currency) is not None
        for place, value in programme.amounts()
        if not place.startswith("survey.")
    )


def reward_value(terms: RewardTerms, currency: str) -> int:
    """What the terms give for one redemption, in minor units; 0 for thanks alone.

    0 too where they have no amount in this currency.
    """
    return 0 if terms.kind is RewardKind.none else minor_in(terms.value, currency) or 0


_NEXT_TO_NOTHING = Decimal("0.01")
"""An order of that much in its currency, or less, earns nothing."""


def reward_for(value: int, order: OrderMoney, *, currency: str, reward_currency: str) -> int:
    """The reward for an order: `value`, but never more than its goods are worth.

    0 for goods of at most 0.01. Amounts in two currencies are not compared.
    """
    if order.goods <= minor_of(_NEXT_TO_NOTHING, currency):
        return 0
    return min(value, order.goods) if currency == reward_currency else value


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


def stated_discount(
    code: str, stated: Mapping[str, int], entered: Collection[str], *, discounted: int
) -> int | None:
    """What the shop states that a code took off, in minor units; None where its terms say it.

    A friend who came by the link alone entered no code: it took nothing off where nothing was taken
    off at all, or where another code did. Codes are in comparable form.
    """
    if code in stated:
        return stated[code]
    if code in entered or (discounted > 0 and not entered):
        return None
    return 0


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


def reward_left(
    reward: int,
    order: OrderMoney,
    reward_terms: RewardTerms,
    offer: OfferTerms,
    *,
    currency: str,
    reward_currency: str,
) -> int:
    """What refunds leave of a reward by its terms; never more than what they leave of the order.

    `currency` is the order's. Amounts in two currencies are not compared.
    """
    minimum = minor_in(offer.minimum_subtotal, currency)
    net = net_reward(reward, order, how=reward_terms.partial_refund, minimum=minimum)
    return min(net, order.remaining) if currency == reward_currency else net


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
