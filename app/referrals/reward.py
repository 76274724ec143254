"""Approve redemptions and grant their rewards, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.outbox import Event, record_events
from app.base.tokens import Tokens, random_code
from app.brands.find import load_shops
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.referrals.announce import GrantedReward, announce_rewards
from app.referrals.models import Redemption, Reward
from app.referrals.reverse import RedemptionState, adjust_rewards, lock_redemption_states
from app.referrals.rules import RedemptionStatus, RewardStatus

_GRANTABLE = (RewardStatus.pending, RewardStatus.cancelled)
"""A cancelled reward is granted when the rejection of its redemption is undone."""


async def reward_redemptions(
    session: AsyncSession, tokens: Tokens, brand: Brand, redemption_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Approve these redemptions, which the caller has checked, and grant their rewards.

    Writes ledger entries and queues the messages. A reward is granted whole, and the share of
    earlier refunds is reversed in the same transaction, so the ledger is the same whichever came
    first. A second call grants nothing more.
    """
    if not redemption_ids:
        return
    order_ids = await session.scalars(
        select(Redemption.order_id).where(
            Redemption.brand_id == brand.id, in_ids(Redemption.id, redemption_ids)
        )
    )
    states = await lock_redemption_states(session, brand.id, order_ids.all())
    approved = [
        each.redemption.id for each in states if each.redemption.status is not RedemptionStatus.approved
    ]
    await session.execute(
        update(Redemption)
        .where(Redemption.brand_id == brand.id, in_ids(Redemption.id, redemption_ids))
        .values(status=RedemptionStatus.approved, approved_at=now, reason=None)
    )
    granted = [
        (state, reward)
        for state in states
        if (reward := state.reward) is not None and reward.status in _GRANTABLE
    ]
    for _, reward in granted:
        _grant(reward, now=now)
    await session.flush()
    events = [Event("redemption.approved", redemption_id, now) for redemption_id in approved]
    events += [Event("reward.granted", reward.id, now) for _, reward in granted]
    await record_events(session, brand.id, events)
    await post_entries(session, brand, [_transaction(*each, now=now) for each in granted], now=now)
    await adjust_rewards(session, brand, [state for state, _ in granted], now=now)
    await _announce(session, tokens, brand, granted, now=now)


async def _announce(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    granted: Sequence[tuple[RedemptionState, Reward]],
    *,
    now: datetime,
) -> None:
    """Queue the messages about those granted rewards of which something is left."""
    shops = await load_shops(session, brand.id)
    announced = [
        GrantedReward(reward, net, shops[state.order.shop_id])
        for state, reward in granted
        if (net := state.net_of(reward.amount)) > 0
    ]
    await announce_rewards(session, tokens, brand, announced, now=now)


def _grant(reward: Reward, *, now: datetime) -> None:
    reward.status = RewardStatus.granted
    reward.granted_at = now
    reward.net_amount = reward.amount
    reward.code = random_code() if reward.kind is RewardKind.code else None


def _transaction(state: RedemptionState, reward: Reward, *, now: datetime) -> LedgerTransaction:
    return LedgerTransaction(
        key=f"grant:{state.redemption.id}",
        account=LedgerAccount.reward_cost,
        other=LedgerAccount.referrers,
        amount=reward.amount,
        currency=reward.currency,
        cause_kind=CauseKind.redemption,
        cause_id=state.redemption.id,
        referrer_id=reward.referrer_id,
        occurred_at=now,
    )
