"""Take a friend's order's reward from the referrer to whom it was credited, for another one."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.ledger.models import CreditAccount
from app.ledger.post import post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.referrals.candidates import RedemptionContext, RedemptionDecision
from app.referrals.models import Redemption
from app.referrals.record import write_rewards
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardChange, RewardValues, reward_transaction, store_rewards
from app.referrals.rules import RewardStatus
from app.referrals.take_back import unspent_of


@dataclass(frozen=True, slots=True)
class RewardMove:
    """A reward, locked, and the decision by which its redemption is another referrer's now."""

    reward: Reward | None
    made: RedemptionDecision


async def lock_reward(session: AsyncSession, redemption: Redemption, to_referrer: UUID) -> Reward | None:
    """The redemption's reward, locked, and for a granted one both referrers' balances of credit."""
    reward = await session.scalar(
        select(Reward)
        .where(Reward.brand_id == redemption.brand_id, Reward.redemption_id == redemption.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if reward is not None and reward.granted_at is not None:
        # In one order, since two orders may be moved in opposite directions at once.
        await session.execute(
            select(CreditAccount.referrer_id)
            .where(
                CreditAccount.brand_id == redemption.brand_id,
                CreditAccount.referrer_id.in_((reward.referrer_id, to_referrer)),
            )
            .order_by(CreditAccount.referrer_id, CreditAccount.currency)
            .with_for_update(key_share=True)
        )
    return reward


async def move_reward(
    session: AsyncSession, brand: Brand, context: RedemptionContext, move: RewardMove, *, now: datetime
) -> None:
    """Give the redemption a pending reward as the terms of the other referrer's code say.

    A granted one is taken back as far as it is unspent. What was spent of it stays with who spent
    it, as goodwill, since the other one gets the whole reward.
    """
    reward, made = move.reward, move.made
    terms = context.terms[made.code.terms_id].reward
    if reward is not None and reward.granted_at is not None:
        await _take_granted(session, brand, reward, now=now)
        reward = None
    if reward is None:
        await write_rewards(session, brand.id, context, [made])
    elif terms.kind is RewardKind.none:
        await session.delete(reward)
    else:
        reward.referrer_id, reward.kind, reward.kind_reason = made.code.referrer_id, terms.kind, None
        reward.amount = reward.net_amount = made.reward
        reward.reason, reward.currency = made.none_because, made.candidate.shop_currency
        reward.status = RewardStatus.pending
    await session.flush()


async def _take_granted(session: AsyncSession, brand: Brand, reward: Reward, *, now: datetime) -> None:
    redemption_id = reward.redemption_id
    kept = reward.net_amount - max(0, await unspent_of(session, reward))
    values = replace(RewardValues.of(reward), net_amount=kept, frozen=False)
    await store_rewards(session, brand, [RewardChange(reward, values, counts=True)], now=now)
    reward.redemption_id = None
    await session.flush()
    if redemption_id is not None:
        accounts = (LedgerAccount.reward_cost, LedgerAccount.referrers)
        of_order = (CauseKind.redemption, redemption_id)
        as_goodwill = (CauseKind.adjustment, reward.id)
        entries = [
            reward_transaction(reward, *accounts, -kept, of_order, now=now),
            reward_transaction(reward, *accounts, kept, as_goodwill, now=now),
        ]
        await post_entries(session, brand, entries, now=now)
