"""Store which customers a delivery names."""

from collections.abc import Sequence

from sqlalchemy import Integer, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of, as_row, bound_recordset
from app.base.prepared import Prepared
from app.ingest.models import DeliveryCustomer
from app.ingest.rules import CustomerLink
from app.orders.models import Order

_LINK = [
    DeliveryCustomer.delivery_id,
    DeliveryCustomer.customer_id,
    Order.shop_id,
    Order.external_id,
]


async def link_customers(session: AsyncSession, brand_id: int, links: Sequence[CustomerLink]) -> None:
    """Insert these links in one statement; known ones change nothing.

    A link by an order that is not known yet, or has no customer, is left out.
    """
    if not links:
        return
    await _INSERT.run(session, of_brand=brand_id, **arrays_of([as_row(link) for link in links], _LINK))


_of_brand = bindparam("of_brand", type_=Integer)
_given = bound_recordset(_LINK)
# A subquery per row, not a join: it is only run for the links that name an order.
_of_order = (
    select(Order.customer_id)
    .where(
        Order.brand_id == _of_brand,
        Order.shop_id == _given.c.shop_id,
        Order.external_id == _given.c.external_id,
    )
    .scalar_subquery()
)
_named = select(
    _given.c.delivery_id, func.coalesce(_given.c.customer_id, _of_order).label("customer_id")
).subquery()
_INSERT = Prepared(
    insert(DeliveryCustomer)
    .from_select(
        ["brand_id", "delivery_id", "customer_id"],
        select(_of_brand, _named.c.delivery_id, _named.c.customer_id)
        .where(_named.c.customer_id.is_not(None))
        .order_by(_named.c.delivery_id, _named.c.customer_id),
        include_defaults=False,
    )
    .on_conflict_do_nothing(),
    tuple,
)
