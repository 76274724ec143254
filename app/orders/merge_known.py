"""Merge versions into orders that are known already."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of, bound_recordset, parsed_once
from app.base.prepared import Prepared
from app.base.touched import touch
from app.orders.facts import fold_orders
from app.orders.locks import locking_orders
from app.orders.models import Order
from app.orders.version_rules import COLUMNS, StatedOrder, from_row, merged, to_row, values_of

VERSION = [getattr(Order, name) for name in COLUMNS]
"""The columns of what is stated of an order."""


async def merge_known(
    session: AsyncSession, brand_id: int, shop_id: UUID, orders: Mapping[str, StatedOrder]
) -> tuple[dict[str, UUID], list[UUID]]:
    """Merge what is stated into known orders and lock those; returns their ids, and the changed."""
    if not orders:
        return {}, []
    found = await _LOCK_KNOWN.all(session, of_brand=brand_id, of_shop=shop_id, named=list(orders))
    ids, written, changed = {}, [], {}
    moved: dict[UUID, datetime] = {}
    former: list[UUID] = []
    for external_id, order_id, cancelled_at, dispute, *values in found:
        ids[external_id] = order_id
        order = orders[external_id]
        if values == [*values_of(order.row)]:
            continue  # the same report again, as most of what is imported twice
        found_row = dict(zip(COLUMNS, values, strict=True))
        row = to_row(merged([from_row(found_row), order.version]), external_id)
        different = {name for name, value in row.items() if value != found_row[name]}
        if different:
            written.append({"id": order_id, **row})
        is_off = cancelled_at is not None or dispute is not None
        if different - _TIMES or (is_off and "stood_at" in different):
            changed[external_id] = order_id
        if "placed_at" in different:
            moved[order_id] = found_row["placed_at"]
        if different & {"customer_id", "placed_at"} and found_row["customer_id"] is not None:
            former.append(found_row["customer_id"])
    if written:
        await _REWRITE.run(session, of_brand=brand_id, **arrays_of(written, [Order.id, *VERSION]))
    await fold_orders(session, brand_id, shop_id, changed)
    # What an order is now is noted by the caller, with all that follows from it.
    await touch(session, brand_id, "customers", former)
    await touch(session, brand_id, "orders", list(moved), list(moved.values()))
    return ids, list(changed.values())


_TIMES = frozenset({"version_at", "stated_at", "stood_at"})
"""Columns that change with each report, and of themselves nothing: but for `stood_at` of an order
that is cancelled or disputed."""
_LOCK_KNOWN = Prepared(
    locking_orders(Order.cancelled_at, Order.dispute, *VERSION),
    lambda *values: values,
)
_rewritten = parsed_once(bound_recordset([Order.id, *VERSION]))
_REWRITE = Prepared(
    update(Order)
    .values({name: _rewritten.c[name] for name in COLUMNS})
    .where(Order.brand_id == bindparam("of_brand"), Order.id == _rewritten.c.id),
    tuple,
)
