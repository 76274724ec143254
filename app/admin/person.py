"""What a person's page shows beside their time line; the API has the same."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.resources import Resource
from app.admin.rows import CODES, ORDERS, REDEMPTIONS, REFERRERS, RESPONSES, REWARDS
from app.base import clock, money
from app.base.actor import Actor
from app.base.batch import in_ids
from app.base.context import AppContext
from app.base.records import read_rows
from app.base.schemas import ApiModel, RowModel
from app.brands.models import Brand
from app.brands.programme import Channel
from app.checkout.credit import find_balances, find_owner
from app.checkout.schemas import BalanceShape
from app.customers.consent import load_contact_options
from app.customers.rules import NoContactReason
from app.orders.models import Order
from app.orders.schemas import OrderRow
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus
from app.referrals.schemas import CodeRow, RedemptionRow, RewardRow
from app.surveys.models import Response
from app.surveys.schemas import ResponseRow

MOST = 50
"""Rows of each kind that are shown, the newest."""
M = TypeVar("M", bound=RowModel)


class Reach(ApiModel):
    """Whether messages may be sent to a person by a channel, else why not."""

    channel: Channel
    allowed: bool
    reason: NoContactReason | None


class FriendsRevenue(ApiModel):
    """What is left of friends' orders that count or may still count, in a currency."""

    currency: str
    orders: int
    amount: str


class PersonSummary(ApiModel):
    """A person's orders, answers, codes and rewards, newest first, at most 50 of each."""

    reach: list[Reach]
    orders: list[OrderRow]
    responses: list[ResponseRow]
    codes: list[CodeRow]
    redemptions: list[RedemptionRow]
    rewards: list[RewardRow]
    credits: list[BalanceShape]
    friends: list[FriendsRevenue]


async def person_summary(
    session: AsyncSession, context: AppContext, brand: Brand, caller: Actor, customer_id: UUID
) -> PersonSummary:
    """The summary of a customer who exists, of the caller's shops alone; about eight queries."""
    referrers = select(Referrer.id).where(Referrer.brand_id == brand.id, Referrer.customer_id == customer_id)

    async def latest(resource: Resource[M], condition: ColumnElement[bool]) -> list[M]:
        query = resource.visible(caller).where(condition).order_by(resource.key.desc()).limit(MOST)
        return [resource.shape(row, pii=caller.sees_people) for row in await read_rows(session, query)]

    return PersonSummary(
        reach=await _reach(session, context, brand, customer_id),
        orders=await latest(ORDERS, Order.customer_id == customer_id),
        responses=await latest(RESPONSES, Response.customer_id == customer_id),
        codes=await latest(CODES, Code.referrer_id.in_(referrers)),
        redemptions=await latest(REDEMPTIONS, Redemption.referrer_id.in_(referrers)),
        rewards=await latest(REWARDS, Reward.referrer_id.in_(referrers)),
        credits=await _credits(session, caller, customer_id),
        friends=await _friends(session, caller, referrers),
    )


async def _reach(session: AsyncSession, context: AppContext, brand: Brand, customer_id: UUID) -> list[Reach]:
    options = (await load_contact_options(session, context.tokens, brand, [customer_id]))[customer_id]
    return [
        Reach(channel=channel, allowed=channel in options.addresses, reason=options.refusals.get(channel))
        for channel in (Channel.email, Channel.sms)
    ]


async def _credits(session: AsyncSession, caller: Actor, customer_id: UUID) -> list[BalanceShape]:
    """As the checkout API has them now; none for somebody who has no share link.

    Credit is the brand's, so who is limited to some shops sees that of their referrers alone.
    """
    owner = await find_owner(session, caller.brand_id, customer_id=customer_id)
    if owner is None or owner.referrer_id is None:
        return []
    seen = REFERRERS.visible(caller).where(Referrer.id == owner.referrer_id)
    if caller.shops is not None and (await session.execute(seen)).first() is None:
        return []
    balances = await find_balances(session, caller.brand_id, owner.referrer_id, now=clock.now())
    return [BalanceShape.of(balance, currency) for currency, balance in balances.items()]


async def _friends(session: AsyncSession, caller: Actor, referrers: Any) -> list[FriendsRevenue]:
    left = func.sum(func.greatest(0, Order.total - Order.refunded)).filter(Order.cancelled_at.is_(None))
    found = await session.execute(
        select(Order.currency, func.count(), func.coalesce(left, 0))
        .join(Redemption, (Redemption.brand_id == Order.brand_id) & (Redemption.order_id == Order.id))
        .where(
            Redemption.brand_id == caller.brand_id,
            true() if caller.shops is None else in_ids(Order.shop_id, sorted(caller.shops)),
            Redemption.referrer_id.in_(referrers),
            Redemption.status.in_(
                (RedemptionStatus.pending, RedemptionStatus.in_review, RedemptionStatus.approved)
            ),
            Order.test.is_(False),
            Order.trial.is_(False),
        )
        .group_by(Order.currency)
        .order_by(Order.currency)
    )
    return [
        FriendsRevenue(currency=currency, orders=orders, amount=money.to_text(int(amount), currency))
        for currency, orders, amount in found
    ]
