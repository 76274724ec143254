"""Record what is reported about orders, each fact once and in whatever order they come."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Numeric,
    Row,
    Uuid,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, constant, in_ids, in_texts, recordset
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.orders.event_rules import fact_of
from app.orders.facts_rules import FactKind, ReportedFact
from app.orders.locks import lock_exclusive
from app.orders.models import Order, OrderFact
from app.orders.rules import OrderState, external_order_id, fold
from app.platforms.events import DisputeStatus, FactEvent

_STATE = (
    Order.fulfilled_at,
    Order.delivered_at,
    Order.cancelled_at,
    Order.refunded,
    Order.refunded_shipping,
    Order.status,
    Order.dispute,
)
_FACT = [
    OrderFact.id,
    OrderFact.order_external_id,
    OrderFact.kind,
    OrderFact.key,
    OrderFact.amount,
    OrderFact.dispute,
    OrderFact.shipping,
    OrderFact.quantity,
    OrderFact.at,
]
_Facts = dict[tuple[str, FactKind, str], ReportedFact]
"""By the order's external id, the kind and the key."""


async def record_facts(
    session: AsyncSession, brand: Brand, shop: Shop, events: Sequence[FactEvent]
) -> list[UUID]:
    """Record these facts and update their orders; returns the known orders among them, in order.

    A fact about an order that is not known yet is stored and counts once the order is recorded. A
    repeated one changes nothing.
    """
    if not events:
        return []
    facts = _merged(events)
    await _write(session, brand.id, shop.id, facts)
    orders = list(dict.fromkeys(external_id for external_id, _, _ in facts))
    known = await _lock(session, brand.id, shop.id, orders)
    if len(known) < len(orders):
        await lock_exclusive(session, brand.id, shop.id)
        missing = [external_id for external_id in orders if external_id not in known]
        known |= await _lock(session, brand.id, shop.id, missing)
    await fold_orders(session, brand.id, shop.id, known)
    return [known[external_id] for external_id in orders if external_id in known]


async def store_facts(session: AsyncSession, brand: Brand, shop: Shop, events: Sequence[FactEvent]) -> None:
    """Store facts about orders that this transaction records next, and which then include them.

    Of an order that somebody else recorded meanwhile they count by `record_facts` alone.
    """
    if events:
        await _write(session, brand.id, shop.id, _merged(events))


def _merged(events: Sequence[FactEvent]) -> _Facts:
    facts: _Facts = {}
    for event in events:
        fact = fact_of(event)
        key = (external_order_id(event.order_id), fact.kind, fact.key)
        facts[key] = facts[key].merged(fact) if key in facts else fact
    return facts


async def _write(session: AsyncSession, brand_id: int, shop_id: UUID, facts: _Facts) -> None:
    """Insert the facts; the row of one that is known becomes `ReportedFact.merged` of both."""
    given = recordset(
        [_row(external_id, fact) for (external_id, _, _), fact in facts.items()],
        _FACT,
    )
    statement = insert(OrderFact).from_select(
        ["brand_id", "shop_id", *given.c.keys()],
        select(literal(brand_id), literal(shop_id, Uuid), *given.c).order_by(
            given.c.order_external_id, given.c.kind, given.c.key
        ),
        include_defaults=False,
    )
    await session.execute(_merging(statement))


def _row(external_id: str, fact: ReportedFact) -> dict[str, object]:
    return {
        "id": new_id(),
        "order_external_id": external_id,
        "kind": fact.kind,
        "key": fact.key,
        "amount": None if fact.amount is None else str(fact.amount),
        "dispute": fact.dispute,
        "shipping": None if fact.shipping is None else str(fact.shipping),
        "quantity": None if fact.quantity is None else str(fact.quantity),
        "at": fact.at,
    }


def _merging(statement: Insert) -> Insert:
    """The statement, by which a known fact's row becomes `ReportedFact.merged` of both."""
    new, nothing = statement.excluded, constant(0)
    is_dispute = OrderFact.kind == constant(FactKind.disputed, OrderFact.kind.type)
    is_larger = or_(
        new.amount > OrderFact.amount,
        and_(
            new.amount == OrderFact.amount,
            func.coalesce(new.shipping, nothing) > func.coalesce(OrderFact.shipping, nothing),
        ),
    )
    is_more = func.coalesce(new.quantity, nothing) > func.coalesce(OrderFact.quantity, nothing)
    return statement.on_conflict_do_update(
        index_elements=["brand_id", "shop_id", "order_external_id", "kind", "key"],
        set_={
            "at": case((is_dispute, new.at), else_=func.least(OrderFact.at, new.at)),
            "amount": case((is_dispute, new.amount), else_=func.greatest(OrderFact.amount, new.amount)),
            "dispute": new.dispute,
            "shipping": case((is_larger, new.shipping), else_=OrderFact.shipping),
            "quantity": func.greatest(OrderFact.quantity, new.quantity),
        },
        where=case(
            (is_dispute, _is_later(new.at, new.dispute)),
            else_=or_(new.at < OrderFact.at, is_larger, is_more),
        ),
    )


def _is_later(at: ColumnElement[datetime], dispute: ColumnElement[DisputeStatus]) -> ColumnElement[bool]:
    """Whether a report of a dispute outweighs the stored one, as in `ReportedFact.merged`."""

    def rank(column: Any) -> ColumnElement[int]:
        words = (DisputeStatus.lost, 2), (DisputeStatus.open, 1)
        kind = OrderFact.dispute.type
        ranks = [(column == constant(word, kind), constant(number)) for word, number in words]
        return case(*ranks, else_=constant(0))

    return or_(at > OrderFact.at, and_(at == OrderFact.at, rank(dispute) > rank(OrderFact.dispute)))


async def load_facts(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_ids: Collection[str]
) -> defaultdict[str, list[ReportedFact]]:
    """What was reported about these orders of a shop, by the orders' external ids."""
    found = await session.execute(
        select(
            OrderFact.order_external_id,
            OrderFact.kind,
            OrderFact.at,
            OrderFact.key,
            OrderFact.amount,
            OrderFact.dispute,
            OrderFact.shipping,
            OrderFact.quantity,
        ).where(
            OrderFact.brand_id == brand_id,
            OrderFact.shop_id == shop_id,
            in_texts(OrderFact.order_external_id, list(external_ids)),
        )
    )
    facts: defaultdict[str, list[ReportedFact]] = defaultdict(list)
    for row in found:
        facts[row.order_external_id].append(ReportedFact(*row[1:]))
    return facts


async def _lock(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_ids: Sequence[str]
) -> dict[str, UUID]:
    """The known ones of these orders, locked in the order of their ids until the commit."""
    found = await session.execute(
        select(Order.external_id, Order.id)
        .where(
            Order.brand_id == brand_id, Order.shop_id == shop_id, in_texts(Order.external_id, external_ids)
        )
        .order_by(Order.id)
        .with_for_update(key_share=True)
    )
    return {row.external_id: row.id for row in found}


_PIECES: ColumnElement[Decimal | None] = literal_column(
    "(SELECT CASE WHEN bool_and(item ->> 'quantity' IS NOT NULL) THEN sum((item ->> 'quantity')::numeric) END"
    " FROM json_array_elements(orders.items) AS item"
    " WHERE coalesce((item ->> 'unit_price')::numeric, 0) >= 0)",
    Numeric,
)
"""How many pieces an order has, without its discount lines; NULL where that is unknown."""


async def fold_orders(
    session: AsyncSession, brand_id: int, shop_id: UUID, orders: Mapping[str, UUID]
) -> None:
    """Fold all facts of these locked orders; only rows whose state changes are written."""
    if not orders:
        return
    facts = await load_facts(session, brand_id, shop_id, orders.keys())
    found = await session.execute(
        select(
            Order.id,
            Order.external_id,
            Order.total,
            Order.currency,
            Order.shipping_total,
            Order.refunded_wholly,
            _PIECES.label("pieces"),
            *_STATE,
        ).where(Order.brand_id == brand_id, in_ids(Order.id, list(orders.values())))
    )
    changed = []
    for row in found:
        before = OrderState(*(getattr(row, column.key) for column in _STATE))
        state = _folded(row, facts[row.external_id])
        if state != before:
            changed.append({"id": row.id, **as_row(state)})
    if not changed:
        return
    given = recordset(changed, [Order.id, *_STATE])
    await session.execute(
        update(Order)
        .values({column.key: given.c[column.key] for column in _STATE})
        .where(Order.brand_id == brand_id, Order.id == given.c.id)
        .execution_options(synchronize_session=False)
    )


def _folded(order: Row[*tuple[Any, ...]], facts: Sequence[ReportedFact]) -> OrderState:
    return fold(
        facts,
        total=order.total,
        currency=order.currency,
        shipping_total=order.shipping_total,
        refunded_wholly=order.refunded_wholly,
        pieces=order.pieces,
    )
