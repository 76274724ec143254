"""What terms make of a friend's order: of one that might come, and of those that came. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from app.brands.amount_rules import amount_in
from app.brands.programme import Programme
from app.orders.rules import OrderMoney
from app.referrals.amount_rules import (
    amount_off,
    has_amounts,
    minor_in,
    net_reward,
    reward_for,
    reward_value,
)
from app.referrals.budget_rules import BudgetKey, budget_key, budget_limit
from app.referrals.eligibility_rules import RewardLimits, why_no_reward
from app.referrals.rules import RefusalReason


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
    """An order with a friend's code; amounts in minor units of its currency."""

    subtotal: int
    currency: str
    money: OrderMoney
    share: UUID
    """The share code at which its use counts."""
    referrer: UUID
    placed_at: datetime
    existing: bool
    """Whether its friend had ordered before, as far as is known now."""


@dataclass(frozen=True, slots=True)
class PastOrders:
    """Orders, the oldest first, and what was there before them."""

    orders: Sequence[PastOrder]
    uses: Mapping[UUID, int] = field(default_factory=dict)
    """Of share codes."""
    rewards: Mapping[UUID, int] = field(default_factory=dict)
    """How many each referrer had."""
    spent: Mapping[BudgetKey, int] = field(default_factory=dict)
    """What rewards had cost in the periods of budgets."""


@dataclass(slots=True)
class PastCost:
    """What terms would have made of past orders in one currency, in its minor units."""

    orders: int = 0
    counted: int = 0
    below_minimum: int = 0
    beyond_uses: int = 0
    """Those after the last use of their code."""
    existing_customers: int = 0
    """Those of friends who had ordered before, where the terms are for new ones alone."""
    capped: int = 0
    """Those that counted without a reward, since their referrer had as many as the terms allow."""
    over_budget: int = 0
    """Those that counted without a reward, since the budget was spent."""
    discounts: int = 0
    rewards: int = 0
    """After refunds."""

    @property
    def cost(self) -> int:
        """Discounts and rewards together."""
        return self.discounts + self.rewards


@dataclass(frozen=True, slots=True)
class _Terms:
    """A programme's terms in one currency, in its minor units."""

    programme: Programme
    currency: str
    discount: Decimal | None
    """None where the terms lack an amount in this currency."""
    minimum: int | None
    reward: int
    budget: int | None

    @classmethod
    def of(cls, programme: Programme, currency: str) -> "_Terms":
        return cls(
            programme,
            currency,
            amount_in(programme.offer.friend_discount.value, currency)
            if has_amounts(programme, currency)
            else None,
            minor_in(programme.offer.minimum_subtotal, currency),
            reward_value(programme.reward, currency),
            budget_limit(programme, currency),
        )

    def result(self, subtotal: int) -> OrderResult:
        """What they make of an order of this subtotal that is kept."""
        if self.discount is None or subtotal < (self.minimum or 0):
            return OrderResult(counts=False)
        kind = self.programme.offer.friend_discount.kind
        off = amount_off(kind, self.discount, subtotal, self.currency)
        money, currency = OrderMoney(subtotal - off), self.currency
        reward = reward_for(self.reward, money, currency=currency, reward_currency=currency)
        return OrderResult(counts=True, off=off, reward=reward)

    def left(self, reward: int, money: OrderMoney) -> int:
        """What refunds leave of a reward; never more than what they leave of the order."""
        how = self.programme.reward.partial_refund
        return min(net_reward(reward, money, how=how, minimum=self.minimum), money.remaining)


def order_result(programme: Programme, subtotal: int, currency: str) -> OrderResult:
    """What the terms make of an order of this subtotal that is kept."""
    return _Terms.of(programme, currency).result(subtotal)


def past_costs(programme: Programme, past: PastOrders, zone: ZoneInfo) -> dict[str, PastCost]:
    """What the terms would have made of these orders, by currency; budgets' periods in `zone`.

    Orders are decided one after the other as they came, with the uses, rewards and costs that the
    terms would have led to until then; what was before the first one stays as it was. Refunds
    count as if they had been known at once. Not considered: whether other terms would have brought
    other orders, and codes that were refused for another reason than an earlier order.
    """
    uses, rewards, spent = Counter(past.uses), Counter(past.rewards), Counter(past.spent)
    costs: dict[str, PastCost] = defaultdict(PastCost)
    by_currency = {each: _Terms.of(programme, each) for each in {order.currency for order in past.orders}}
    for order in past.orders:
        terms = by_currency[order.currency]
        cost, result = costs[order.currency], terms.result(order.subtotal)
        cost.orders += 1
        if uses[order.share] >= programme.offer.max_uses_per_code:
            cost.beyond_uses += 1
        elif order.existing and programme.offer.new_customers_only:
            cost.existing_customers += 1
        elif not result.counts:
            cost.below_minimum += 1
        else:
            cost.counted += 1
            cost.discounts += result.off
            uses[order.share] += 1
            budget = budget_key(programme, order.placed_at, order.currency, zone)
            limits = RewardLimits(
                granted=rewards[order.referrer],
                cap=programme.reward.cap_per_referrer,
                spent=spent[budget],
                budget=terms.budget,
            )
            left = _reward_of(terms, order, result.reward, cost, limits)
            rewards[order.referrer] += left > 0
            spent[budget] += left
    return costs


def _reward_of(terms: _Terms, order: PastOrder, reward: int, cost: PastCost, limits: RewardLimits) -> int:
    """What is left of the order's reward after refunds, added to the cost; 0 beyond the limits."""
    none_because = why_no_reward(reward, limits)
    if none_because is not None:
        cost.capped += none_because is RefusalReason.cap_reached
        cost.over_budget += none_because is RefusalReason.budget_spent
        return 0
    left = terms.left(reward, order.money)
    cost.rewards += left
    return left
