"""Orders, recorded as from a delivery, and the facts reported about them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.ids import new_id
from app.base.money import to_decimal
from app.brands.models import Brand, Shop
from app.customers.person import Person
from app.orders.facts import record_facts
from app.orders.models import Order
from app.orders.record import record_orders
from app.platforms.events import (
    FactEvent,
    Item,
    OrderCancelled,
    OrderDelivered,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
)
from app.referrals.fold_facts import fold_order_facts
from app.surveys.schedule import schedule_surveys
from tests.support.constants import NOW

FACTS = {"fulfilled_at": OrderFulfilled, "delivered_at": OrderDelivered, "cancelled_at": OrderCancelled}


async def make_order(
    context: AppContext,
    brand: Brand,
    shop: Shop,
    customer_id: UUID | None,
    *codes: str,
    history: bool = False,
    plan: bool = False,
    **given: Any,
) -> UUID:
    """A paid order of 80.00 with these codes, 8.00 off where there are any; not redeemed yet.

    Fields of `OrderPaid` may be given otherwise, and facts by the names of the order's columns.
    Its survey is planned with `plan`.
    """
    facts = {name: given.pop(name) for name in (*FACTS, "refunded") if name in given}
    values: dict[str, Any] = {
        "order_id": new_id().hex,
        "number": "1042",
        "currency": "EUR",
        "subtotal": 8000,
        "total": 7200 if codes else 8000,
        "discount_total": 800 if codes else 0,
        "discount_codes": codes,
        "items": (Item("Linen shirt", 1),),
        "placed_at": NOW,
        "person": Person(),
    }
    paid = OrderPaid(**(values | given))
    async with context.sessions.begin() as session:
        incoming = [(paid, customer_id)]
        recorded = await record_orders(session, context.tokens, brand, shop, incoming, history=history)
        [order_id] = recorded.ids
        await record_facts(session, brand, shop, _events(paid.order_id, paid.currency, 0, facts))
        if plan:
            await schedule_surveys(session, context.tokens, brand, [order_id], now=NOW)
    return order_id


async def make_delivered_order(
    context: AppContext, brand: Brand, shop: Shop, customer_id: UUID | None, **given: Any
) -> UUID:
    """A paid order of 80.00, delivered four days ago, so that its survey is due; planned at
    once."""
    values = {"placed_at": NOW - timedelta(days=7), "delivered_at": NOW - timedelta(days=4), "plan": True}
    return await make_order(context, brand, shop, customer_id, **(values | given))


async def change_order(
    context: AppContext, brand: Brand, order_id: UUID, *, now: datetime = NOW, **facts: Any
) -> None:
    """Report facts by the names of the order's columns; `refunded` is the sum of all refunds.

    The order's survey, redemption and reward follow, as where a delivery reports them.
    """
    async with context.sessions.begin() as session:
        order, shop = await _order(session, brand, order_id)
        events = _events(order.external_id, order.currency, order.refunded, facts)
        await record_facts(session, brand, shop, events)
        await schedule_surveys(session, context.tokens, brand, [order_id], now=now)
        await fold_order_facts(session, brand, [order_id], now=now)


async def _order(session: AsyncSession, brand: Brand, order_id: UUID) -> tuple[Order, Shop]:
    query = (
        select(Order, Shop)
        .join(Shop, (Shop.brand_id == Order.brand_id) & (Shop.id == Order.shop_id))
        .where(Order.brand_id == brand.id, Order.id == order_id)
    )
    order, shop = (await session.execute(query)).one()
    return order, shop


def _events(order_id: str, currency: str, refunded: int, facts: dict[str, Any]) -> list[FactEvent]:
    events: list[FactEvent] = [
        FACTS[name](order_id, at) for name, at in facts.items() if name in FACTS and at is not None
    ]
    if more := facts.get("refunded", refunded) - refunded:
        assert more > 0, "money that was refunded stays refunded"
        refund_id = f"refund up to {facts['refunded']}"
        events.append(OrderRefunded(order_id, refund_id, to_decimal(more, currency), NOW))
    return events
