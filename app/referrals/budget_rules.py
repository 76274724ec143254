"""Which budget a reward is taken from, and how much is in it. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from app.brands.programme import Programme
from app.referrals.amount_rules import minor_in
from app.referrals.period_rules import period_of

BudgetKey = tuple[datetime | None, str]
"""The start of a period (None: `total`) and a currency."""


def budget_key(programme: Programme, placed_at: datetime, currency: str, zone: ZoneInfo) -> BudgetKey:
    """The budget that the reward for an order of that time is taken from."""
    budget = programme.reward.budget
    period = None if budget is None else period_of(placed_at, budget.period, zone)
    return (None if period is None else period[0]), currency


def budget_limit(programme: Programme, currency: str) -> int | None:
    """The most that rewards may cost in a period, in minor units; None without a budget.

    0 in a currency that the budget does not name.
    """
    budget = programme.reward.budget
    return None if budget is None else minor_in(budget.amount, currency) or 0
