"""What rewards of a brand cost in its budget's periods."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.brands.programme import Programme
from app.orders.models import Order
from app.referrals.amount_rules import reward_value
from app.referrals.budget_rules import BudgetKey, budget_key, budget_limit
from app.referrals.models import Redemption
from app.referrals.period_rules import period_of
from app.referrals.reward_models import Reward
from app.referrals.rules import COUNTED


async def find_spent(
    session: AsyncSession,
    brand: Brand,
    programme: Programme,
    keys: Collection[BudgetKey],
    *,
    before: UUID | None = None,
) -> dict[BudgetKey, int]:
    """What the rewards of each budget cost so far, pending ones included, after refunds.

    Of redemptions that were made `before` that one; None: of all. Rewards for trials are not in it.
    """
    budget, zone = programme.reward.budget, ZoneInfo(brand.time_zone)
    if budget is None:
        return {}
    spent = {}
    for start, currency in keys:
        period = None if start is None else period_of(start, budget.period, zone)
        within = [Order.placed_at >= period[0], Order.placed_at < period[1]] if period else []
        within += [] if before is None else [Redemption.id < before]
        total = await session.scalar(
            select(func.sum(Reward.net_amount))
            .join(
                Redemption,
                (Redemption.brand_id == Reward.brand_id) & (Redemption.id == Reward.redemption_id),
            )
            .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
            .where(
                Reward.brand_id == brand.id,
                Reward.currency == currency,
                Redemption.status.in_(COUNTED),
                Order.trial.is_(False),
                *within,
            )
        )
        spent[start, currency] = int(total or 0)
    return spent


async def find_spent_currencies(
    session: AsyncSession, brand: Brand, programme: Programme, currencies: Collection[str], *, now: datetime
) -> set[str]:
    """The currencies in which the budget of `now` has no room for one more reward."""
    if programme.reward.budget is None:
        return set()
    zone = ZoneInfo(brand.time_zone)
    keys = {budget_key(programme, now, currency, zone) for currency in currencies}
    spent = await find_spent(session, brand, programme, keys)
    return {
        currency
        for (_, currency), cost in spent.items()
        if cost + reward_value(programme.reward, currency) > (budget_limit(programme, currency) or 0)
    }
