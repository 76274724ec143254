"""Take goodwill back: as much of it as was not spent."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError, NotFound
from app.base.money import Money
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.ledger.models import CreditAccount
from app.referrals.figures import note_changes
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardChange, RewardValues, store_rewards


async def take_goodwill_back(
    session: AsyncSession, brand: Brand, reward_id: UUID, *, actor: Actor, reason: str, now: datetime
) -> Reward:
    """Take back what was not spent of goodwill; returns the reward.

    A code is ended, also in a connected shop; credit that a shop holds is taken from it. What was
    spent there and is not known yet is owed by the referrer then. No message is sent. Raises 404;
    409 `not_goodwill` for a reward of a friend's order, `nothing_left` where nothing can be taken
    back (`unspent_of`), as for a second call.
    """
    reward = await session.scalar(
        select(Reward)
        .where(Reward.brand_id == brand.id, Reward.id == reward_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if reward is None:
        raise NotFound("There is no such reward.")
    if reward.redemption_id is not None:
        raise AppError(
            "not_goodwill",
            "This reward is for a friend's order; let that order not count instead.",
            status=409,
        )
    before = reward.net_amount
    taken = await unspent_of(session, reward)
    if taken <= 0:
        raise AppError("nothing_left", "Nothing of it is left to be taken back.", status=409)
    values = replace(RewardValues.of(reward), net_amount=before - taken)
    await store_rewards(session, brand, [RewardChange(reward, values, counts=True)], now=now)
    await note_changes(session, brand.id, [reward.referrer_id])
    amounts = (str(Money(before, reward.currency)), str(Money(reward.net_amount, reward.currency)))
    changes: dict[str, tuple[object, object]] = {"amount": amounts, "reason": (None, reason)}
    await record_action(session, actor, AuditAction.goodwill_taken_back, ("rwd", reward.id), changes)
    return reward


async def unspent_of(session: AsyncSession, reward: Reward) -> int:
    """What can be taken back of a locked reward, in minor units; its balance is locked too.

    0 or less where nothing can. Credit that a checkout has reserved, or that makes up for what was
    spent beyond other rewards, cannot.
    """
    if reward.granted_at is None or reward.used_at is not None or reward.expired_at is not None:
        return 0
    left = reward.net_amount - reward.used_amount
    if reward.kind is not RewardKind.credit:
        return left
    account = await session.scalar(
        select(CreditAccount)
        .where(
            CreditAccount.brand_id == reward.brand_id,
            CreditAccount.referrer_id == reward.referrer_id,
            CreditAccount.currency == reward.currency,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return 0 if account is None else min(left, account.balance - account.reserved)
