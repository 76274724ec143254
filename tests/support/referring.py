"""Referrers, friends and their orders for the tests of referrals, made straight in the tables."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.ids import new_id
from app.brands.add import change_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Programme
from app.customers.models import Consent, Customer
from app.ledger.models import LedgerEntry
from app.orders.models import Order
from app.referrals.issue import NewReferrer, issue_offers
from app.referrals.models import Code, Redemption, Referrer, Reward
from app.referrals.redeem import redeem_orders
from app.referrals.reverse import reverse_orders
from app.referrals.settle import sweep
from tests.support.constants import NOW


async def set_terms(context: AppContext, brand: Brand, terms: dict[str, Any]) -> None:
    """Put terms in force; what is left out takes its default."""
    async with context.sessions.begin() as session:
        await change_programme(session, brand.id, Programme.model_validate(terms), actor=cli_actor(brand.id))


async def make_customer(context: AppContext, brand: Brand, **given: Any) -> UUID:
    """A customer with an address of their own, in France, where an e-mail needs no consent."""
    customer_id = new_id()
    address = f"friend.{customer_id.hex}@example.com"
    consents = given.pop("consents", {})
    values = {
        "email": address,
        "email_key": address,
        "first_name": "Ana",
        "time_zone": "Europe/Berlin",
        "country": "FR",
    } | given
    async with context.sessions.begin() as session:
        session.add(Customer(brand_id=brand.id, id=customer_id, **values))
        await session.flush()
        for channel, said in consents.items():
            session.add(
                Consent(brand_id=brand.id, customer_id=customer_id, channel=channel, given=said, at=NOW)
            )
    return customer_id


async def make_order(
    context: AppContext, brand: Brand, shop: Shop, customer_id: UUID | None, *codes: str, **given: Any
) -> UUID:
    """A paid order of 80.00 with these codes, not redeemed yet."""
    order_id = new_id()
    values: dict[str, Any] = {
        "external_id": order_id.hex,
        "number": "1042",
        "currency": "EUR",
        "subtotal": 8000,
        "total": 7200,
        "discount_total": 800,
        "discount_codes": list(codes),
        "tags": [],
        "items": [],
        "test": False,
        "placed_at": NOW,
        "paid_at": NOW,
    }
    async with context.sessions.begin() as session:
        session.add(
            Order(
                brand_id=brand.id, id=order_id, shop_id=shop.id, customer_id=customer_id, **(values | given)
            )
        )
    return order_id


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
            .where(Code.brand_id == brand.id, Referrer.customer_id == customer_id, Code.active)
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
    """A new friend orders with the code; their redemption."""
    order_id = await make_order(
        context, brand, shop, await make_customer(context, brand, first_name="Ben"), code, **given
    )
    [redemption] = await redeem(context, brand, order_id)
    return redemption


async def change_order(
    context: AppContext, brand: Brand, order_id: UUID, *, now: datetime = NOW, **values: Any
) -> None:
    """Change an order as a fact does, and fold it into its redemption."""
    async with context.sessions.begin() as session:
        order = (
            await session.scalars(select(Order).where(Order.brand_id == brand.id, Order.id == order_id))
        ).one()
        for name, value in values.items():
            setattr(order, name, value)
        await session.flush()
        await reverse_orders(session, brand, [order_id], now=now)


async def settle(context: AppContext, *, days: float = 15) -> int:
    """Sweep the redemptions due some days later."""
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
