"""The sweep `rewards`: what is not used in its time expires."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.due import brands_of
from app.base.turns import Sweep
from app.brands.find import load_brand
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.ledger.models import CreditAccount
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardChange, RewardValues, store_rewards
from app.referrals.rules import RewardStatus
from app.referrals.shop_credit.models import ShopCredit
from app.referrals.shop_credit.rules import AFTER_THE_END, HOUR

BATCH = 500
"""Rewards per transaction."""
LONGEST_UNREAD = timedelta(days=7)
"""How long credit in a shop that cannot be read waits."""


def sweep(context: AppContext) -> Sweep:
    """Sets granted rewards to expired once their time is over.

    One that is frozen by a dispute waits for its end, and credit for the end of reservations of it,
    or until what was spent of it in a shop is known.
    """

    async def brands(now: datetime) -> Sequence[int]:
        return await brands_of(context.reading_sessions, Reward.brand_id, *_due(now))

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            return await _expire(session, await load_brand(session, brand_id), now=now)

    return Sweep("rewards", brands, work)


def _due(now: datetime) -> list[ColumnElement[bool]]:
    is_reserved = exists().where(
        CreditAccount.brand_id == Reward.brand_id,
        CreditAccount.referrer_id == Reward.referrer_id,
        CreditAccount.currency == Reward.currency,
        CreditAccount.reserved > 0,
    )
    # A shop's credit ends there before: what was spent of it to the last is read first.
    is_unread = exists().where(
        ShopCredit.brand_id == Reward.brand_id,
        ShopCredit.referrer_id == Reward.referrer_id,
        ShopCredit.currency == Reward.currency,
        ShopCredit.code.is_(None),
        ShopCredit.due_at.is_not(None),
        func.coalesce(ShopCredit.read_at, ShopCredit.created_at)
        < func.date_trunc("hour", Reward.expires_at, "UTC") - HOUR + AFTER_THE_END,
        Reward.expires_at > now - LONGEST_UNREAD,
    )
    return [
        Reward.status == RewardStatus.granted,
        Reward.expires_at <= now,
        Reward.frozen.is_(False),
        (Reward.kind != RewardKind.credit) | ~(is_reserved | is_unread),
    ]


async def _expire(session: AsyncSession, brand: Brand, *, now: datetime) -> int:
    rewards = await session.scalars(
        select(Reward)
        .where(Reward.brand_id == brand.id, *_due(now))
        .order_by(Reward.id)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True, of=Reward)
        .execution_options(populate_existing=True)
    )
    changes = [
        RewardChange(reward, replace(RewardValues.of(reward), expired_at=now), counts=True)
        for reward in rewards
    ]
    await store_rewards(session, brand, changes, now=now)
    return len(changes)
