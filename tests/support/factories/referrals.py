"""Referrers who were issued a code, friends who order with it, and what comes of it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.base.context import AppContext
from app.base.due import sweep_once
from app.brands.models import Brand, Shop
from app.ledger.models import LedgerEntry
from app.referrals.issue import issue_offers
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.new_codes import NewReferrer
from app.referrals.redeem import redeem_orders
from app.referrals.reward_models import Reward
from app.referrals.rules import CodeKind
from app.referrals.settle import sweep
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_order


async def make_referrer(
    context: AppContext, brand: Brand, shop: Shop, *, now: datetime = NOW, **given: Any
) -> Code:
    """A promoter who was issued a code under the terms in force."""
    return await issue(context, brand, shop, await make_customer(context, brand, **given), now=now)


async def issue(
    context: AppContext, brand: Brand, shop: Shop, customer_id: UUID, *, now: datetime = NOW
) -> Code:
    """The customer's present code after an answer of 9 or 10."""
    async with context.sessions.begin() as session:
        await issue_offers(session, context.tokens, brand, [NewReferrer(customer_id, shop.id)], now=now)
    async with context.sessions() as session:
        query = (
            select(Code)
            .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
            .where(
                Code.brand_id == brand.id,
                Referrer.customer_id == customer_id,
                Code.active,
                Code.kind == CodeKind.share,
            )
        )
        return (await session.scalars(query)).one()


async def owner_of(context: AppContext, code: Code) -> UUID:
    """The customer who is the code's referrer."""
    async with context.sessions() as session:
        found = await session.scalar(
            select(Referrer.customer_id).where(
                Referrer.brand_id == code.brand_id, Referrer.id == code.referrer_id
            )
        )
    assert found is not None
    return found


async def redeem(
    context: AppContext, brand: Brand, *order_ids: UUID, now: datetime = NOW
) -> list[Redemption]:
    """Redeem in one batch; the redemptions there are, in the order given."""
    async with context.sessions.begin() as session:
        await redeem_orders(session, context.tokens, brand, order_ids, now=now)
    found = {order_id: await redemption_of(context, brand, order_id) for order_id in order_ids}
    return [redemption for redemption in found.values() if redemption is not None]


async def redemption_of(context: AppContext, brand: Brand, order_id: UUID) -> Redemption | None:
    async with context.sessions() as session:
        query = select(Redemption).where(Redemption.brand_id == brand.id, Redemption.order_id == order_id)
        return (await session.scalars(query)).one_or_none()


async def friend_orders(context: AppContext, brand: Brand, shop: Shop, code: str, **given: Any) -> Redemption:
    """A new friend orders with the code, which is delivered at once; their redemption."""
    friend = await make_customer(context, brand, first_name="Ben")
    order_id = await make_order(context, brand, shop, friend, code, **({"delivered_at": NOW} | given))
    [redemption] = await redeem(context, brand, order_id)
    return redemption


async def settle(context: AppContext, *, days: float = 45) -> int:
    """Sweep the redemptions due some days later, by default of undelivered orders too."""
    return await sweep_once(sweep(context), NOW + timedelta(days=days))


async def code_of(context: AppContext, brand: Brand, code_id: UUID) -> Code:
    async with context.sessions() as session:
        return (
            await session.scalars(select(Code).where(Code.brand_id == brand.id, Code.id == code_id))
        ).one()


async def reward_of(context: AppContext, brand: Brand, redemption_id: UUID) -> Reward | None:
    async with context.sessions() as session:
        query = select(Reward).where(Reward.brand_id == brand.id, Reward.redemption_id == redemption_id)
        return (await session.scalars(query)).one_or_none()


async def balances(context: AppContext, brand: Brand) -> dict[str, int]:
    """What each account holds; accounts at zero are left out.

    Every transaction must add up to nothing.
    """
    async with context.sessions() as session:
        sums = await session.scalars(
            select(func.sum(LedgerEntry.amount))
            .where(LedgerEntry.brand_id == brand.id)
            .group_by(LedgerEntry.transaction_id)
        )
        assert not any(sums), "a transaction does not add up to zero"
        rows = await session.execute(
            select(LedgerEntry.account, func.sum(LedgerEntry.amount))
            .where(LedgerEntry.brand_id == brand.id)
            .group_by(LedgerEntry.account)
        )
        return {account.value: int(total) for account, total in rows if total}
