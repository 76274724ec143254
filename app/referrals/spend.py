"""Spend referrers' credit: the rewards of kind `credit` that a balance is made of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.ledger.models import CreditAccount
from app.referrals.reward_models import Reward
from app.referrals.reward_rules import CreditShare, give_back, spend
from app.referrals.reward_store import RewardChange, RewardValues, store_rewards
from app.referrals.rules import RewardStatus


async def load_shares(
    session: AsyncSession, brand_id: int, referrer_id: UUID, currency: str
) -> list[CreditShare]:
    """The granted rewards that a referrer's balance in a currency is made of."""
    rewards = await session.scalars(_granted(brand_id, referrer_id, currency))
    return [_share(reward) for reward in rewards]


async def load_reserved(session: AsyncSession, brand_id: int, referrer_id: UUID, currency: str) -> int:
    """What checkouts have claimed of a referrer's balance in a currency, in its minor units."""
    reserved = await session.scalar(
        select(CreditAccount.reserved).where(
            CreditAccount.brand_id == brand_id,
            CreditAccount.referrer_id == referrer_id,
            CreditAccount.currency == currency,
        )
    )
    return reserved or 0


async def spend_credit(
    session: AsyncSession, brand: Brand, referrer_id: UUID, currency: str, amount: int, *, now: datetime
) -> None:
    """Set an amount of credit to used, of the rewards that expire first.

    The caller has reserved it and posts it to the ledger.
    """
    await _change(session, brand, referrer_id, currency, lambda shares: spend(shares, amount), now=now)


async def give_credit_back(
    session: AsyncSession, brand: Brand, referrer_id: UUID, currency: str, amount: int, *, now: datetime
) -> None:
    """Set an amount of spent credit to unused, of the rewards that expire last.

    What has expired meanwhile stays expired. The caller posts it to the ledger.
    """
    await _change(session, brand, referrer_id, currency, lambda shares: give_back(shares, amount), now=now)


async def _change(
    session: AsyncSession,
    brand: Brand,
    referrer_id: UUID,
    currency: str,
    change: Callable[[Iterable[CreditShare]], Sequence[CreditShare]],
    *,
    now: datetime,
) -> None:
    # Rewards before the account, as in everything that changes a reward.
    locked = await session.scalars(
        _granted(brand.id, referrer_id, currency)
        .order_by(Reward.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    rewards = {reward.id: reward for reward in locked}
    changed = change([_share(reward) for reward in rewards.values()])
    await store_rewards(
        session, brand, [_with_used(rewards[share.id], share.used) for share in changed], now=now
    )


def _granted(brand_id: int, referrer_id: UUID, currency: str) -> Select[Reward]:
    return select(Reward).where(
        Reward.brand_id == brand_id,
        Reward.referrer_id == referrer_id,
        Reward.currency == currency,
        Reward.kind == RewardKind.credit,
        Reward.granted_at.is_not(None),
    )


def _share(reward: Reward) -> CreditShare:
    if reward.expires_at is None:
        raise RuntimeError("a granted reward has no time at which it expires")
    return CreditShare(
        id=reward.id,
        net=reward.net_amount,
        used=reward.used_amount,
        expires_at=reward.expires_at,
        expired=reward.expired_at is not None,
        frozen=reward.frozen,
    )


def _with_used(reward: Reward, used: int) -> RewardChange:
    values = replace(RewardValues.of(reward), used_amount=used)
    counts = reward.status is not RewardStatus.reversed
    return RewardChange(reward, values, counts=counts, posts_use=False)
