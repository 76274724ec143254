"""Refunds that a shop has deleted again, as the lists of refunds show that its orders state."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, Uuid, bindparam, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import constant, in_bound_texts, in_ids
from app.base.prepared import Prepared
from app.brands.models import Brand, Shop
from app.orders.facts import Facts, fold_orders, write_facts
from app.orders.facts_rules import ROLLED_BACK, FactKind, ReportedFact
from app.orders.models import Order, OrderFact
from app.orders.rules import external_order_id
from app.platforms.events import OrderPaid


async def drop_deleted_refunds(
    session: AsyncSession, brand: Brand, shop: Shop, orders: Sequence[OrderPaid]
) -> list[UUID]:
    """Leave out refunds that these recorded, locked orders do not list; returns what changed.

    An order's newest version decides, and only about refunds from before it. One that it lists
    again counts again. To be called after the facts of the same reports are recorded.
    """
    listed = _newest_lists(orders)
    if not listed:
        return []
    found = await _KNOWN.all(session, of_brand=brand.id, of_shop=shop.id, named=list(listed))
    deleted: Facts = {}
    restored: list[UUID] = []
    changed: dict[str, UUID] = {}
    for order_id, external_id, version_at, fact_id, kind, key, at in found:
        listed_at, ids = listed[external_id]
        if listed_at < version_at:
            continue
        if kind is FactKind.refunded and key not in ids and at < listed_at:
            fact = ReportedFact(FactKind.refund_deleted, listed_at, key)
            deleted[external_id, fact.kind, key] = fact
        elif kind is FactKind.refund_deleted and key in ids:
            restored.append(fact_id)
        else:
            continue
        changed[external_id] = order_id
    if deleted:
        await write_facts(session, brand.id, shop.id, deleted)
    if restored:
        await session.execute(
            delete(OrderFact).where(OrderFact.brand_id == brand.id, in_ids(OrderFact.id, restored))
        )
    await fold_orders(session, brand.id, shop.id, changed)
    return list(changed.values())


def _newest_lists(orders: Sequence[OrderPaid]) -> dict[str, tuple[datetime, frozenset[str]]]:
    """Of each order that states its refunds: when it did last, and their keys."""
    listed: dict[str, tuple[datetime, frozenset[str]]] = {}
    for order in orders:
        if order.refund_ids is None:
            continue
        external_id, at = external_order_id(order.order_id), order.version_at or order.placed_at
        ids = frozenset(map(external_order_id, order.refund_ids))
        known_at, known = listed.get(external_id, (at, ids))
        if at >= known_at:
            listed[external_id] = at, ids | known if at == known_at else ids
    return listed


_ABOUT_REFUNDS = (FactKind.refunded, FactKind.refund_deleted)
_KNOWN = Prepared(
    select(
        Order.id,
        Order.external_id,
        Order.version_at,
        OrderFact.id,
        OrderFact.kind,
        OrderFact.key,
        OrderFact.at,
    )
    .join(
        Order,
        (Order.brand_id == OrderFact.brand_id)
        & (Order.shop_id == OrderFact.shop_id)
        & (Order.external_id == OrderFact.order_external_id),
    )
    .where(
        OrderFact.brand_id == bindparam("of_brand", type_=Integer),
        OrderFact.shop_id == bindparam("of_shop", type_=Uuid),
        in_bound_texts(OrderFact.order_external_id, "named"),
        or_(*(OrderFact.kind == constant(each, OrderFact.kind.type) for each in _ABOUT_REFUNDS)),
        OrderFact.key != constant("", OrderFact.key.type),
        ~OrderFact.key.startswith(ROLLED_BACK),
    ),
    lambda *values: values,
)
