"""How the demo's referrers spend what they earned: by a code, or as credit in the shop."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select

from app.base import money
from app.base.context import AppContext
from app.customers.models import Customer
from app.demo.scenario import Scenario, of_little, with_credit, with_reward
from app.orders.models import Order
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.referrals.rules import RewardStatus
from app.referrals.shop_credit.models import ShopCredit


@dataclass(frozen=True, slots=True)
class _Own:
    """What somebody can spend, and their address."""

    email: str
    amount: Decimal
    code: str | None
    """By which it is spent; None: it is in their account in the shop."""
    is_refunded_later: bool = False
    """Whether an order behind it will be sent back."""


def _codes(brand_id: int) -> Select[str, str | None, int, str]:
    """Rewards that are spent by a code, with whose they are."""
    return (
        select(Code.display, Customer.email, Reward.net_amount, Reward.currency)
        .join(Reward, (Reward.brand_id == Code.brand_id) & (Reward.code_id == Code.id))
        .join(Referrer, (Referrer.brand_id == Reward.brand_id) & (Referrer.id == Reward.referrer_id))
        .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .where(
            Code.brand_id == brand_id,
            Reward.status == RewardStatus.granted,
            Customer.email.is_not(None),
        )
        .order_by(Customer.email, Code.display)
    )


def _credits(
    brand_id: int, refunded_later: Collection[str]
) -> Select[str | None, int, str, str | None, bool]:
    """Credit that shops hold, with whose it is; that of orders that will be sent back first."""
    is_refunded_later = (
        select(Reward.id)
        .join(Redemption, (Redemption.brand_id == Reward.brand_id) & (Redemption.id == Reward.redemption_id))
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .where(
            Reward.brand_id == ShopCredit.brand_id,
            Reward.referrer_id == ShopCredit.referrer_id,
            Reward.status == RewardStatus.granted,
            Order.external_id.in_(refunded_later),
        )
        .exists()
        .label("is_refunded_later")
    )
    return (
        select(ShopCredit.code, ShopCredit.held, ShopCredit.currency, Customer.email, is_refunded_later)
        .join(Referrer, (Referrer.brand_id == ShopCredit.brand_id) & (Referrer.id == ShopCredit.referrer_id))
        .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .where(ShopCredit.brand_id == brand_id, ShopCredit.held > 0, Customer.email.is_not(None))
        .order_by(is_refunded_later.desc(), Customer.email)
    )


class Spending:
    """Turns the orders of referrers whose turn it is into orders that spend what they have."""

    def __init__(self, context: AppContext, brand_id: int, scenario: Scenario) -> None:
        self._context = context
        self._brand_id = brand_id
        orders = (each.data for each in scenario.deliveries if "customer" in each.data)
        self._buyers = {data["customer"]["email"]: data["customer"] for data in orders}
        self._codes: list[_Own] = []
        self._credits: list[_Own] = []
        self._have_spent: set[str] = set()

    async def load(self, refunded_later: Collection[str]) -> None:
        """Load what is unspent, in an order that every run repeats.

        `refunded_later` are the shop's ids of orders that will be sent back. Whoever earned by one
        of them spends credit first, and each person once.
        """
        async with self._context.sessions() as session:
            self._codes = [
                _Own(row.email, money.to_decimal(row.net_amount, row.currency), row.display)
                for row in await session.execute(_codes(self._brand_id))
            ]
            self._credits = [
                _Own(row.email, money.to_decimal(row.held, row.currency), row.code, row.is_refunded_later)
                for row in await session.execute(_credits(self._brand_id, refunded_later))
                if row.email not in self._have_spent
            ]

    def spend(self, choice: float, order: Mapping[str, Any]) -> dict[str, Any]:
        """The order of one of those who can spend something; as it is where nobody can.

        `choice` in [0, 1) picks a code. Whose credit a refund will take back buys little, so that
        some of it is left.
        """
        if self._credits:
            own = self._credits.pop(0)
            self._have_spent.add(own.email)
            data = of_little(order) if own.is_refunded_later else order
        elif self._codes:
            own = self._codes.pop(int(choice * len(self._codes)))
            data = order
        else:
            return dict(order)
        buyer = self._buyers[own.email]
        if own.code is None:
            return with_credit(data, amount=own.amount, customer=buyer)
        return with_reward(data, own.code, amount=own.amount, customer=buyer)
