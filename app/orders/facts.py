"""Record what is reported about orders, each fact once and in whatever order they come."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Numeric,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import (
    arrays_of,
    as_row,
    bound_recordset,
    constant,
    in_bound_ids,
    in_bound_texts,
    parsed_once,
)
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.brands.models import Brand, Shop
from app.orders.event_rules import fact_of
from app.orders.facts_rules import REVOCABLE, FactKind, ReportedFact
from app.orders.locks import lock_exclusive, locking_orders
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
Facts = dict[tuple[str, FactKind, str], ReportedFact]
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
    await write_facts(session, brand.id, shop.id, facts)
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
        await write_facts(session, brand.id, shop.id, _merged(events))


def _merged(events: Sequence[FactEvent]) -> Facts:
    facts: Facts = {}
    for event in events:
        fact = fact_of(event)
        key = (external_order_id(event.order_id), fact.kind, fact.key)
        facts[key] = facts[key].merged(fact) if key in facts else fact
    return facts


async def write_facts(session: AsyncSession, brand_id: int, shop_id: UUID, facts: Facts) -> None:
    """Insert the facts; the row of one that is known becomes `ReportedFact.merged` of both."""
    rows = [_row(external_id, fact) for (external_id, _, _), fact in facts.items()]
    await _WRITE.run(session, of_brand=brand_id, of_shop=shop_id, **arrays_of(rows, _FACT))


def _writing() -> Insert:
    given = bound_recordset(_FACT)
    of_shop = bindparam("of_brand", type_=Integer), bindparam("of_shop", type_=Uuid)
    return insert(OrderFact).from_select(
        ["brand_id", "shop_id", *given.c.keys()],
        select(*of_shop, *given.c).order_by(given.c.order_external_id, given.c.kind, given.c.key),
        include_defaults=False,
    )


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
    # No parcel's: those are of another kind.
    is_revocable = and_(
        OrderFact.kind == constant(FactKind.cancelled, OrderFact.kind.type),
        OrderFact.key == constant(REVOCABLE, OrderFact.key.type),
    )
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
            "at": case((or_(is_dispute, is_revocable), new.at), else_=func.least(OrderFact.at, new.at)),
            "amount": case((is_dispute, new.amount), else_=func.greatest(OrderFact.amount, new.amount)),
            "dispute": new.dispute,
            "shipping": case((is_larger, new.shipping), else_=OrderFact.shipping),
            "quantity": func.greatest(OrderFact.quantity, new.quantity),
        },
        where=case(
            (is_dispute, _is_later(new.at, new.dispute)),
            (is_revocable, new.at > OrderFact.at),
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


_WRITE = Prepared(_merging(_writing()), tuple)


async def load_facts(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_ids: Collection[str]
) -> defaultdict[str, list[ReportedFact]]:
    """What was reported about these orders of a shop, by the orders' external ids."""
    found = await _FACTS.all(session, of_brand=brand_id, of_shop=shop_id, named=list(external_ids))
    facts: defaultdict[str, list[ReportedFact]] = defaultdict(list)
    for external_id, fact in found:
        facts[external_id].append(fact)
    return facts


_FACTS = Prepared(
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
        OrderFact.brand_id == bindparam("of_brand"),
        OrderFact.shop_id == bindparam("of_shop"),
        in_bound_texts(OrderFact.order_external_id, "named"),
    ),
    lambda external_id, *fact: (external_id, ReportedFact(*fact)),
)


async def _lock(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_ids: Sequence[str]
) -> dict[str, UUID]:
    """The known ones of these orders, locked in the order of their ids until the commit."""
    return dict(await _LOCK.all(session, of_brand=brand_id, of_shop=shop_id, named=list(external_ids)))


_LOCK = Prepared(locking_orders(), lambda external_id, order_id: (external_id, order_id))


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
    found = await _FOLDED.all(session, of_brand=brand_id, ids=list(orders.values()))
    changed = []
    for row in found:
        state = _fold(row, facts[row.external_id])
        if state != row.before:
            changed.append({"id": row.id, **as_row(state)})
    if changed:
        await _WRITE_STATES.run(session, of_brand=brand_id, **arrays_of(changed, [Order.id, *_STATE]))


class _Folded(NamedTuple):
    """An order whose facts are folded; `before` is its state as it is stored."""

    id: UUID
    external_id: str
    total: int
    currency: str
    shipping_total: int
    refunded_wholly: bool
    stood_at: datetime | None
    pieces: Decimal | None
    before: OrderState


def _folded(*values: Any) -> _Folded:
    return _Folded._make((*values[:8], OrderState(*values[8:])))


_FOLDED = Prepared(
    select(
        Order.id,
        Order.external_id,
        Order.total,
        Order.currency,
        Order.shipping_total,
        Order.refunded_wholly,
        Order.stood_at,
        _PIECES.label("pieces"),
        *_STATE,
    ).where(Order.brand_id == bindparam("of_brand"), in_bound_ids(Order.id, "ids")),
    _folded,
)
_states = parsed_once(bound_recordset([Order.id, *_STATE]))
_WRITE_STATES = Prepared(
    update(Order)
    .values({column.key: _states.c[column.key] for column in _STATE})
    .where(Order.brand_id == bindparam("of_brand"), Order.id == _states.c.id),
    tuple,
)


def _fold(order: _Folded, facts: Sequence[ReportedFact]) -> OrderState:
    return fold(
        facts,
        total=order.total,
        currency=order.currency,
        shipping_total=order.shipping_total,
        refunded_wholly=order.refunded_wholly,
        pieces=order.pieces,
        stood_at=order.stood_at,
    )
