"""Approve redemptions and give their referrers what was promised, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.ids import new_id
from app.base.tokens import Tokens, random_code
from app.brands.find import load_shops
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.referrals.announce import GrantedReward, announce_rewards
from app.referrals.candidates import reward_of
from app.referrals.ledger import LedgerTransaction, post_entries
from app.referrals.models import Redemption, Reward
from app.referrals.reverse import RedemptionState, lock_redemption_states, reduce_rewards
from app.referrals.rules import LedgerAccount, RedemptionStatus, RewardStatus


async def reward_redemptions(
    session: AsyncSession, tokens: Tokens, brand: Brand, redemption_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Approve these redemptions, which the caller has judged, and grant their rewards with ledger entries and messages.

    A reward is granted whole and what refunds have already taken is clawed back in the same transaction, so the books read alike
    whichever came first. A second call grants nothing more.
    """
    if not redemption_ids:
        return
    order_ids = await session.scalars(
        select(Redemption.order_id).where(
            Redemption.brand_id == brand.id, in_ids(Redemption.id, redemption_ids)
        )
    )
    states = await lock_redemption_states(session, brand.id, order_ids.all())
    await session.execute(
        update(Redemption)
        .where(Redemption.brand_id == brand.id, in_ids(Redemption.id, redemption_ids))
        .values(status=RedemptionStatus.approved, approved_at=now, reason=None)
    )
    shops = await load_shops(session, brand.id)
    values = []
    for state in states:
        amount = reward_of(state.terms, shops[state.order.shop_id].currency)
        if state.reward is None and amount:
            values.append(_values(state, amount, shops[state.order.shop_id].currency, now))
    if not values:
        return
    made = (await session.scalars(insert(Reward).on_conflict_do_nothing().returning(Reward), values)).all()
    await post_entries(session, brand.id, [_grant(reward) for reward in made], now=now)
    by_redemption = {reward.redemption_id: reward for reward in made}
    granted = [
        RedemptionState(one.redemption, one.order, by_redemption[one.redemption.id], one.terms)
        for one in states
        if one.redemption.id in by_redemption
    ]
    await reduce_rewards(session, brand.id, granted, now=now)
    told = [
        GrantedReward(one.reward, net, shops[one.order.shop_id])
        for one in granted
        if one.reward is not None and (net := one.net_of(one.reward.amount)) > 0
    ]
    await announce_rewards(session, tokens, brand, told, now=now)


def _values(state: RedemptionState, amount: int, currency: str, now: datetime) -> dict[str, object]:
    kind = state.terms.reward.kind
    return {
        "brand_id": state.redemption.brand_id,
        "id": new_id(),
        "redemption_id": state.redemption.id,
        "referrer_id": state.redemption.referrer_id,
        "kind": kind,
        "amount": amount,
        "net_amount": amount,
        "currency": currency,
        "code": random_code() if kind is RewardKind.code else None,
        "status": RewardStatus.granted,
        "granted_at": now,
    }


def _grant(reward: Reward) -> LedgerTransaction:
    return LedgerTransaction(
        key=f"grant:{reward.redemption_id}",
        account=LedgerAccount.reward_cost,
        other=LedgerAccount.referrers,
        amount=reward.amount,
        currency=reward.currency,
        redemption_id=reward.redemption_id,
        referrer_id=reward.referrer_id,
    )
