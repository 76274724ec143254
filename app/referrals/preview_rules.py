"""What terms make of a friend's order: of one that might come, and of those that came. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from app.brands.amount_rules import amount_in
from app.brands.programme import Programme
from app.orders.rules import OrderMoney
from app.referrals.amount_rules import (
    amount_off,
    has_amounts,
    minor_in,
    reward_for,
    reward_left,
    reward_value,
)


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What terms make of one order, in minor units of its currency."""

    counts: bool
    """Whether it reaches the minimum, in a currency in which the terms have every amount."""
    off: int = 0
    """What the friend saves."""
    reward: int = 0


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order that counted; amounts in minor units of its currency."""

    subtotal: int
    currency: str
    money: OrderMoney
    use: int
    """Which use of its share code it was; the first one is 1."""


@dataclass(frozen=True, slots=True)
class PastCost:
    """What terms would have made of past orders in one currency, in its minor units."""

    orders: int = 0
    counted: int = 0
    below_minimum: int = 0
    beyond_uses: int = 0
    """Those after the last use of their code."""
    discounts: int = 0
    rewards: int = 0
    """After refunds."""

    @property
    def cost(self) -> int:
        """Discounts and rewards together."""
        return self.discounts + self.rewards


def order_result(programme: Programme, subtotal: int, currency: str) -> OrderResult:
    """What the terms make of an order of this subtotal that is kept."""
    discount = programme.offer.friend_discount
    value = amount_in(discount.value, currency)
    minimum = minor_in(programme.offer.minimum_subtotal, currency)
    if value is None or not has_amounts(programme, currency) or subtotal < (minimum or 0):
        return OrderResult(counts=False)
    off = amount_off(discount.kind, value, subtotal, currency)
    money = OrderMoney(subtotal - off)
    return OrderResult(
        counts=True,
        off=off,
        reward=reward_for(
            reward_value(programme.reward, currency), money, currency=currency, reward_currency=currency
        ),
    )


def past_costs(programme: Programme, orders: Sequence[PastOrder]) -> dict[str, PastCost]:
    """What the terms would have made of these orders, by currency.

    Discount, minimum, uses of a code, reward and refunds are considered; caps and budgets are not,
    nor whether other terms would have brought other orders.
    """
    by_currency: dict[str, list[PastOrder]] = defaultdict(list)
    for order in orders:
        by_currency[order.currency].append(order)
    return {currency: _cost(programme, of_one, currency) for currency, of_one in by_currency.items()}


def _cost(programme: Programme, orders: Sequence[PastOrder], currency: str) -> PastCost:
    counted = below = beyond = discounts = rewards = 0
    for order in orders:
        result = order_result(programme, order.subtotal, currency)
        if order.use > programme.offer.max_uses_per_code:
            beyond += 1
        elif not result.counts:
            below += 1
        else:
            counted += 1
            discounts += result.off
            rewards += reward_left(
                result.reward,
                order.money,
                programme.reward,
                programme.offer,
                currency=currency,
                reward_currency=currency,
            )
    return PastCost(len(orders), counted, below, beyond, discounts, rewards)
