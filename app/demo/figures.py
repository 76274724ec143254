"""The demo's results: counts of every kind of row, and how long promoters waited for their code."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from sqlalchemy import case, extract, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import money
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.messaging.models import Attempt, Message, OutboxItem
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.referrals.rules import CodeKind, RedemptionStatus
from app.referrals.shop_credit.models import ShopCredit
from app.referrals.templates import OFFER
from app.referrals.visit_models import Visit
from app.surveys.models import Response, Survey
from app.surveys.rules import SurveyStatus
from app.surveys.templates import REMINDER


@dataclass(frozen=True)
class Figures:
    """Counts at one moment."""

    orders: int = 0
    orders_cancelled: int = 0
    orders_refunded: int = 0
    """Orders with any refund, also a partial one."""
    surveys_sent: int = 0
    surveys_skipped: int = 0
    surveys_planned: int = 0
    reminders: int = 0
    answered: int = 0
    promoters: int = 0
    codes: int = 0
    visits: int = 0
    redemptions: int = 0
    """Friends' orders whose code was not refused, as the dashboard counts them."""
    refused: int = 0
    approved: int = 0
    rewards: int = 0
    rewards_spent: int = 0
    """Wholly or in part."""
    reversals: int = 0
    """Redemptions reversed, and rewards taken back in part or whole."""
    messages: int = 0

    def since(self, before: Self) -> dict[str, int]:
        """The differences from `before`, without those that are zero."""
        gained = {item.name: getattr(self, item.name) - getattr(before, item.name) for item in fields(self)}
        return {name: count for name, count in gained.items() if count}


async def count_all(session: AsyncSession, brand_id: int) -> Figures:
    """Count everything of a brand in two queries."""
    counts: dict[str, Any] = {
        "orders": _count(Order.brand_id, brand_id),
        "orders_cancelled": _count(Order.brand_id, brand_id, Order.status == OrderStatus.cancelled),
        "orders_refunded": _count(Order.brand_id, brand_id, Order.refunded > 0),
        "surveys_sent": _count(Survey.brand_id, brand_id, Survey.sent_at.is_not(None)),
        "surveys_skipped": _count(Survey.brand_id, brand_id, Survey.status == SurveyStatus.skipped),
        "surveys_planned": _count(Survey.brand_id, brand_id, Survey.status == SurveyStatus.planned),
        "reminders": _count(
            Message.brand_id, brand_id, Message.template == REMINDER.name, Message.sent_at.is_not(None)
        ),
        "answered": _count(Response.brand_id, brand_id),
        "promoters": _count(Response.brand_id, brand_id, Response.score >= 9),
        "codes": _count(Code.brand_id, brand_id, Code.kind == CodeKind.share),
        "visits": _count(Visit.brand_id, brand_id),
        "redemptions": _count(Redemption.brand_id, brand_id, Redemption.status != RedemptionStatus.refused),
        "refused": _count(Redemption.brand_id, brand_id, Redemption.status == RedemptionStatus.refused),
        "approved": _count(Redemption.brand_id, brand_id, Redemption.status == RedemptionStatus.approved),
        "rewards": _count(Reward.brand_id, brand_id, Reward.granted_at.is_not(None)),
        "rewards_spent": _count(Reward.brand_id, brand_id, Reward.used_amount > 0),
        "messages": _count(Message.brand_id, brand_id, Message.sent_at.is_not(None)),
    }
    row = (
        (await session.execute(select(*[query.label(name) for name, query in counts.items()])))
        .mappings()
        .one()
    )
    return Figures(**row, reversals=await _reversals(session, brand_id))


def _count(key: Any, brand_id: int, *conditions: Any) -> Any:
    return select(func.count()).where(key == brand_id, *conditions).scalar_subquery()


async def _reversals(session: AsyncSession, brand_id: int) -> int:
    taken = Reward.granted_at.is_not(None) & (Reward.net_amount < Reward.amount)
    touched = (
        select(func.count(Redemption.id))
        .outerjoin(Reward, (Reward.brand_id == Redemption.brand_id) & (Reward.redemption_id == Redemption.id))
        .where(
            Redemption.brand_id == brand_id,
            case((Redemption.status == RedemptionStatus.reversed, True), else_=taken),
        )
    )
    return await session.scalar(touched) or 0


async def credit_amounts(session: AsyncSession, brand: Brand, currency: str) -> dict[str, str]:
    """What became of credit: granted, spent, taken back unspent, and what shops hold of it now.

    In major units. Nothing where none was granted.
    """
    kept = func.greatest(Reward.net_amount, Reward.used_amount)
    found = await session.execute(
        select(
            func.sum(Reward.amount).label("credit_granted"),
            func.sum(Reward.used_amount).label("credit_spent"),
            func.sum(Reward.amount - kept).label("credit_taken_back"),
            select(func.sum(ShopCredit.held))
            .where(ShopCredit.brand_id == brand.id)
            .scalar_subquery()
            .label("credit_held"),
        ).where(Reward.brand_id == brand.id, Reward.kind == RewardKind.credit, Reward.granted_at.is_not(None))
    )
    amounts = found.mappings().one()
    if amounts["credit_granted"] is None:
        return {}
    return {name: money.to_text(int(minor or 0), currency) for name, minor in amounts.items()}


async def offer_delays(session: AsyncSession, brand_id: int) -> list[float]:
    """Seconds from a promoter's response to their offer in the outbox, by the database's clock.

    Sorted.
    """
    waited = (
        select(extract("epoch", func.min(OutboxItem.created_at) - func.min(Response.created_at)))
        .select_from(Message)
        .join(Attempt, (Attempt.brand_id == Message.brand_id) & (Attempt.message_id == Message.id))
        .join(OutboxItem, (OutboxItem.brand_id == Attempt.brand_id) & (OutboxItem.id == Attempt.id))
        .join(
            Referrer, (Referrer.brand_id == Message.brand_id) & (Referrer.customer_id == Message.customer_id)
        )
        .join(Response, (Response.brand_id == Referrer.brand_id) & (Response.survey_id == Referrer.survey_id))
        .where(Message.brand_id == brand_id, Message.template == OFFER.name)
        .group_by(Message.customer_id)
    )
    return sorted(float(seconds) for seconds in await session.scalars(waited))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of sorted values; None for no values."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else None
