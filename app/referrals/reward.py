"""Approve redemptions and give their referrers what was promised, once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import among_ids
from app.base.ids import new_id
from app.base.tokens import Tokens, random_code
from app.brands.find import load_shops
from app.brands.models import Brand
from app.brands.programme import RewardKind
from app.referrals.announce import Granted, announce_rewards
from app.referrals.case import reward_of
from app.referrals.ledger import Booking, book
from app.referrals.models import Redemption, Reward
from app.referrals.reverse import Standing, claw_back, lock_standings
from app.referrals.rules import Account, RedemptionStatus, RewardStatus


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
        select(Redemption.order_id).where(Redemption.brand_id == brand.id, among_ids(Redemption.id, redemption_ids))
    )
    standings = await lock_standings(session, brand.id, order_ids.all())
    await session.execute(
        update(Redemption)
        .where(Redemption.brand_id == brand.id, among_ids(Redemption.id, redemption_ids))
        .values(status=RedemptionStatus.approved, approved_at=now, reason=None)
    )
    shops = await load_shops(session, brand.id)
    values = []
    for standing in standings:
        amount = reward_of(standing.terms, shops[standing.order.shop_id].currency)
        if standing.reward is None and amount:
            values.append(_values(standing, amount, shops[standing.order.shop_id].currency, now))
    if not values:
        return
    made = (await session.scalars(insert(Reward).on_conflict_do_nothing().returning(Reward), values)).all()
    await book(session, brand.id, [_grant(reward) for reward in made], now=now)
    by_redemption = {reward.redemption_id: reward for reward in made}
    granted = [
        Standing(one.redemption, one.order, by_redemption[one.redemption.id], one.terms)
        for one in standings
        if one.redemption.id in by_redemption
    ]
    await claw_back(session, brand.id, granted, now=now)
    told = [
        Granted(one.reward, net, shops[one.order.shop_id])
        for one in granted
        if one.reward is not None and (net := one.net_of(one.reward.amount)) > 0
    ]
    await announce_rewards(session, tokens, brand, told, now=now)


def _values(standing: Standing, amount: int, currency: str, now: datetime) -> dict[str, object]:
    kind = standing.terms.reward.kind
    return {
        "brand_id": standing.redemption.brand_id,
        "id": new_id(),
        "redemption_id": standing.redemption.id,
        "referrer_id": standing.redemption.referrer_id,
        "kind": kind,
        "amount": amount,
        "net_amount": amount,
        "currency": currency,
        "code": random_code() if kind is RewardKind.code else None,
        "status": RewardStatus.granted,
        "granted_at": now,
    }


def _grant(reward: Reward) -> Booking:
    return Booking(
        key=f"grant:{reward.redemption_id}",
        account=Account.reward_cost,
        other=Account.referrers,
        amount=reward.amount,
        currency=reward.currency,
        redemption_id=reward.redemption_id,
        referrer_id=reward.referrer_id,
    )
