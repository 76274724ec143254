"""End an attempt about credit in a shop: settled, or to be tried again; owners are told."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.errors import Outcome, OutsideError
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.referrals.announce import GrantedReward, announce_rewards
from app.referrals.publishing.rules import wait_after_failure
from app.referrals.reward_models import Reward
from app.referrals.rules import RewardStatus
from app.referrals.shop_credit.claim import LEASE, ClaimedCredit
from app.referrals.shop_credit.models import ShopCredit
from app.referrals.shop_credit.rules import AFTER_THE_END, Move, MoveKind, MoveState

READ_EVERY = timedelta(days=1)
"""How often an account of which something can be spent is read; one that is empty once a week."""
READ_EMPTY_EVERY = timedelta(days=7)


async def settle(
    session: AsyncSession,
    context: AppContext,
    brand: Brand,
    claimed: ClaimedCredit,
    row: ShopCredit,
    moves: Sequence[Move],
    *,
    now: datetime,
) -> None:
    """The shop has what it must have: tell the owner of rewards that are there now.

    An account is read again from time to time, and once a credit has ended there.
    """
    ends = [
        move.expires_at
        for move in moves
        if move.kind is MoveKind.credit
        and move.state is MoveState.done
        and move.expires_at is not None
        and move.expires_at > now
    ]
    every = READ_EVERY if row.held else READ_EMPTY_EVERY
    row.due_at = min(now + every, min(ends) + AFTER_THE_END) if ends else None
    row.leased_until, row.attempt, row.reason = None, 0, None
    await session.flush()
    rewards = await _find_unannounced(session, row)
    new = [reward for reward in rewards if not reward.frozen]
    if new:
        granted = [GrantedReward(reward, None, claimed.shop, row.code, row.code is None) for reward in new]
        await announce_rewards(session, context.tokens, brand, granted, now=now)
        # A frozen one is announced once it is frozen no more; no message is queued twice.
        waiting = [reward.granted_at for reward in rewards if reward.frozen and reward.granted_at is not None]
        announced = [reward.granted_at for reward in new if reward.granted_at is not None]
        row.announced_until = min(waiting, default=max(announced))


async def _find_unannounced(session: AsyncSession, row: ShopCredit) -> Sequence[Reward]:
    """Rewards of which the credit consists that their owner has not been written to about."""
    found = await session.scalars(
        select(Reward)
        .where(
            Reward.brand_id == row.brand_id,
            Reward.referrer_id == row.referrer_id,
            Reward.currency == row.currency,
            Reward.kind == RewardKind.credit,
            Reward.status == RewardStatus.granted,
            Reward.net_amount > 0,
            *([] if row.announced_until is None else [Reward.granted_at >= row.announced_until]),
        )
        .order_by(Reward.id)
    )
    return found.all()


def defer(row: ShopCredit, error: OutsideError, *, now: datetime) -> None:
    """Try again later, as the error asks for; an open move is looked for once it must be over."""
    wait = wait_after_failure(error, row.attempt)
    row.leased_until = None
    if error.outcome is Outcome.unknown:
        wait = max(wait, LEASE)
        row.leased_until = now + wait
    row.due_at, row.reason = now + wait, error.reason
