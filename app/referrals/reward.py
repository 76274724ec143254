"""Approve redemptions and grant their rewards, once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.outbox import Event, record_events
from app.base.tokens import Tokens
from app.base.touched import touch
from app.brands.find import load_shops
from app.brands.models import Brand
from app.referrals.announce import GrantedReward, announce_rewards
from app.referrals.figures import note_changes
from app.referrals.models import Code, Redemption
from app.referrals.pay_rewards import Payment, pay_rewards
from app.referrals.redemption_state import RedemptionState, lock_redemption_states
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardValues, store_rewards
from app.referrals.reward_to_pay import RewardToPay
from app.referrals.rules import RedemptionStatus, RewardStatus
from app.referrals.shop_credit.take_up import add_held

_GRANTABLE = (RewardStatus.pending, RewardStatus.cancelled)
"""A cancelled reward is granted when the rejection of its redemption is undone."""


async def reward_redemptions(
    session: AsyncSession, tokens: Tokens, brand: Brand, redemption_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Approve these redemptions, which the caller has checked, and grant their rewards.

    Writes ledger entries, makes the referrers' own codes and queues the messages. What earlier
    refunds took is not granted, so the ledger is the same whichever came first. A second call
    grants nothing more.
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
    # One that is approved once more counted on another day before.
    earlier = [at for each in states if (at := each.redemption.approved_at) is not None]
    for state in states:
        _approve(state, now=now)
    await session.flush()
    await touch(session, brand.id, "orders", [each.order.id for each in states], earlier)
    granted = [
        (state, reward)
        for state in states
        if (reward := state.reward) is not None and reward.status in _GRANTABLE
    ]
    payment = await _grant(session, brand, granted, now=now)
    events = [Event("redemption.approved", redemption_id, now) for redemption_id in approved]
    events += [Event("reward.granted", reward.id, now) for _, reward in granted if reward.amount > 0]
    await record_events(session, brand.id, events)
    await note_changes(session, brand.id, {state.redemption.referrer_id for state in states})
    announced_now = [(state, reward) for state, reward in granted if reward.id not in payment.announced_later]
    await _announce(session, tokens, brand, announced_now, payment.own.codes, now=now)


async def _grant(
    session: AsyncSession, brand: Brand, granted: Sequence[tuple[RedemptionState, Reward]], *, now: datetime
) -> Payment:
    """Grant these rewards; returns what they are paid with."""
    if not granted:
        return Payment()
    worth = [
        RewardToPay(reward, amount, state.redemption.terms_id, state.order.shop_id)
        for state, reward in granted
        if (amount := state.amount_of(reward)) > 0
    ]
    expires = {reward.id: now + timedelta(days=state.terms.reward.valid_days) for state, reward in granted}
    shops = await load_shops(session, brand.id)
    payment = await pay_rewards(session, brand, worth, shops, expires=expires, now=now)
    changes = []
    for state, reward in granted:
        values = replace(
            RewardValues.of(reward),
            granted_at=now,
            expires_at=expires[reward.id],
            code_id=payment.code_id_of(reward.id),
        )
        changes.append(state.change_of(reward, values))
    await store_rewards(session, brand, changes, now=now)
    await add_held(session, payment.held)
    return payment


def _approve(state: RedemptionState, *, now: datetime) -> None:
    redemption = state.redemption
    # What stays as its reason is why an approved redemption earns nothing.
    reason = None if state.reward is None else state.reward.reason
    redemption.become(RedemptionStatus.approved, reason, now=now)
    redemption.status_before = None
    redemption.approved_at = now


async def _announce(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    granted: Sequence[tuple[RedemptionState, Reward]],
    codes: Mapping[UUID, Code],
    *,
    now: datetime,
) -> None:
    """Queue the messages about those granted rewards of which something is left."""
    shops = await load_shops(session, brand.id)
    announced = [
        GrantedReward(reward, codes.get(reward.id), shops[state.order.shop_id])
        for state, reward in granted
        if reward.net_amount > 0 and not reward.frozen
    ]
    await announce_rewards(session, tokens, brand, announced, now=now)
