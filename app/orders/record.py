"""Record paid orders and their versions, whatever else was reported about them before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Integer, Uuid, bindparam, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from app.base.batch import arrays_of, as_row, bound_recordset, constant
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.base.tokens import Tokens, plain_code
from app.brands.models import Brand, Shop
from app.orders.facts import load_facts
from app.orders.facts_rules import ReportedFact
from app.orders.locks import lock_shared
from app.orders.merge_known import VERSION, merge_known
from app.orders.models import Order
from app.orders.parcel_rules import count_pieces
from app.orders.rules import OrderState, OrderStatus, external_order_id, fold
from app.orders.stated import state_order
from app.orders.version_rules import StatedOrder, merged, stated
from app.platforms.events import OrderPaid

_ORDER = [
    Order.id,
    Order.external_id,
    *VERSION,
    Order.trial,
    Order.history,
    Order.fulfilled_at,
    Order.delivered_at,
    Order.cancelled_at,
    Order.refunded,
    Order.refunded_shipping,
    Order.status,
    Order.dispute,
]


@dataclass(frozen=True, slots=True)
class RecordedOrders:
    """The ids of the orders in the order given, and which of them were known and have changed.

    `known` are those that were recorded before, changed or not.
    """

    ids: list[UUID]
    changed: list[UUID]
    known: list[UUID]


async def record_orders(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    shop: Shop,
    incoming: Sequence[tuple[OrderPaid, UUID | None]],
    *,
    history: bool = False,
    known: Collection[str] = frozenset(),
    read: Sequence[StatedOrder | None] = (),
) -> RecordedOrders:
    """Record these orders of a shop with their customers.

    Of a known order, and of several alike in one batch, the newest version counts, field by field
    (`version_rules`). Facts that were reported before are included. `history` marks new orders as
    from before the start; such never cause a message. `known` are external ids of orders that the
    caller has found in this transaction, which need not be tried as new ones: orders stay. `read`
    has what `state_order` made of each, if the caller has done that.
    """
    if not incoming:
        return RecordedOrders([], [], [])
    batch = _read_batch(tokens, brand.id, shop.id, incoming, read)
    await lock_shared(session, brand.id, shop.id)
    new = [order for external_id, order in batch.orders.items() if external_id not in known]
    facts = await load_facts(session, brand.id, shop.id, [each.external_id for each in new]) if new else {}
    rows = [
        _new_row(
            order,
            facts.get(order.external_id, []),
            {
                "customer_id": batch.customers[order.external_id],
                "trial": order.external_id in batch.trials,
                "history": True if order.external_id in batch.taken_over else None,
            },
        )
        for order in new
    ]
    ids = await _insert(session, brand.id, shop.id, rows, history=history) if rows else {}
    others = {
        external_id: order.of_customer(batch.customers[external_id])
        for external_id, order in batch.orders.items()
        if external_id not in ids
    }
    found, changed = await merge_known(session, brand.id, shop.id, others)
    ids |= found
    return RecordedOrders([ids[each] for each in batch.external_ids], changed, list(found.values()))


@dataclass(slots=True)
class _Batch:
    """The orders of a batch by external id, each once however often it came."""

    external_ids: list[str] = field(default_factory=list)
    """In the order given."""
    orders: dict[str, StatedOrder] = field(default_factory=dict)
    customers: dict[str, UUID | None] = field(default_factory=dict)
    trials: set[str] = field(default_factory=set)
    taken_over: set[str] = field(default_factory=set)
    """Those that are history whatever the batch is."""


def _read_batch(
    tokens: Tokens,
    brand_id: int,
    shop_id: UUID,
    incoming: Sequence[tuple[OrderPaid, UUID | None]],
    read: Sequence[StatedOrder | None],
) -> _Batch:
    batch = _Batch()
    orders, customers = batch.orders, batch.customers
    for (paid, given), made in zip_longest(incoming, read):
        customer_id: UUID | None = given
        order = made or state_order(tokens, brand_id, shop_id, paid)
        external_id = order.external_id
        batch.external_ids.append(external_id)
        if paid.trial:
            batch.trials.add(external_id)
        if paid.history:
            batch.taken_over.add(external_id)
        if external_id in orders:
            former = orders[external_id].of_customer(customers[external_id])
            order = stated(external_id, merged([former.version, order.of_customer(customer_id).version]))
            customer_id = order.row["customer_id"]
        orders[external_id], customers[external_id] = order, customer_id
    return batch


def _new_row(
    order: StatedOrder, facts: Sequence[ReportedFact], more: Mapping[str, object]
) -> dict[str, object]:
    """The row of an order, with what these facts add up to.

    Without what most orders have alike, which `_INSERT` puts back: an array without elements costs
    nothing, a text to parse does.
    """
    row = {**order.row, **_NOTHING_REPORTED, **more, "id": new_id(), "external_id": order.external_id}
    if facts or row["refunded_wholly"]:
        row |= as_row(_state(row, facts))
    for name in _MOSTLY:
        if row[name] == _MOSTLY[name]:
            row[name] = None
    for name in _AS_PLACED:
        if row[name] == row["placed_at"]:
            row[name] = None
    return row


def _state(row: Mapping[str, Any], facts: Sequence[ReportedFact]) -> OrderState:
    return fold(
        facts,
        total=row["total"],
        currency=row["currency"],
        shipping_total=row["shipping_total"],
        refunded_wholly=row["refunded_wholly"],
        stood_at=row["stood_at"],
        pieces=count_pieces(row["items"]) if facts else None,
    )


_NOTHING_REPORTED = as_row(OrderState())


async def _insert(
    session: AsyncSession,
    brand_id: int,
    shop_id: UUID,
    rows: Sequence[Mapping[str, object]],
    *,
    history: bool,
) -> dict[str, UUID]:
    """Insert the new orders; returns the ids of the new rows by external id.

    Every batch inserts in the same order, so that two of them only wait for each other.
    """
    arrays = arrays_of(rows, _ORDER)
    return dict(await _INSERT.all(session, of_brand=brand_id, of_shop=shop_id, is_history=history, **arrays))


_MOSTLY: Mapping[str, object] = {
    "discount_codes": [],
    "tags": [],
    **dict.fromkeys(("discount_total", "shipping_total", "refunded", "refunded_shipping"), 0),
    **dict.fromkeys(("refunded_wholly", "ordered_before", "relayed", "test", "trial"), False),
    "status": OrderStatus.paid,
}
"""What most orders have alike."""
_AS_PLACED = ("paid_at", "version_at")


def _constant(value: object, of: TypeEngine[Any]) -> ColumnElement[Any]:
    return _EMPTY_LIST if value == [] else constant(value, of)


_EMPTY_LIST: ColumnElement[list[str]] = literal_column("'[]'::jsonb", JSONB)
_given = bound_recordset(_ORDER)
_values = {
    **_given.c,
    **{
        name: func.coalesce(_given.c[name], _constant(value, _given.c[name].type))
        for name, value in _MOSTLY.items()
    },
    **{name: func.coalesce(_given.c[name], _given.c.placed_at) for name in _AS_PLACED},
    "history": func.coalesce(_given.c.history, bindparam("is_history", type_=Boolean)),
}
_INSERT = Prepared(
    insert(Order)
    .from_select(
        ["brand_id", "shop_id", *_values],
        select(
            bindparam("of_brand", type_=Integer), bindparam("of_shop", type_=Uuid), *_values.values()
        ).order_by(_given.c.external_id),
        include_defaults=False,
    )
    .on_conflict_do_nothing(index_elements=[Order.brand_id, Order.shop_id, Order.external_id])
    .returning(Order.external_id, Order.id),
    lambda external_id, order_id: (external_id, order_id),
)


async def lock_order(session: AsyncSession, brand_id: int, shop_id: UUID, external_id: str) -> bool:
    """Lock the order with this external id until the commit; returns False where there is none."""
    order_id = external_order_id(external_id)
    found = await session.execute(
        select(Order.id)
        .where(Order.brand_id == brand_id, Order.shop_id == shop_id, Order.external_id == order_id)
        .with_for_update(key_share=True)
    )
    return found.first() is not None


async def lock_order_by_id(session: AsyncSession, brand_id: int, order_id: UUID) -> Order | None:
    """Lock the order until the commit and return it as it is then; None where there is none."""
    return await session.scalar(
        select(Order)
        .where(Order.brand_id == brand_id, Order.id == order_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


async def add_discount_code(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_id: str, code: str
) -> None:
    """Put a code first among those of a recorded order, unless the order has it."""
    order_id = external_order_id(external_id)
    key = (Order.brand_id == brand_id, Order.shop_id == shop_id, Order.external_id == order_id)
    codes = await session.scalar(select(Order.discount_codes).where(*key))
    if codes is None or plain_code(code) in {plain_code(each) for each in codes}:
        return
    await session.execute(update(Order).where(*key).values(discount_codes=[code, *codes]))
