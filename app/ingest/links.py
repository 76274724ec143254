"""Store which customers a delivery names."""

from collections.abc import Sequence

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, recordset
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
    given = recordset([as_row(link) for link in links], _LINK)
    # A subquery per row, not a join: it is only run for the links that name an order.
    of_order = (
        select(Order.customer_id)
        .where(
            Order.brand_id == brand_id,
            Order.shop_id == given.c.shop_id,
            Order.external_id == given.c.external_id,
        )
        .scalar_subquery()
    )
    named = select(
        given.c.delivery_id, func.coalesce(given.c.customer_id, of_order).label("customer_id")
    ).subquery()
    await session.execute(
        insert(DeliveryCustomer)
        .from_select(
            ["brand_id", "delivery_id", "customer_id"],
            select(literal(brand_id), named.c.delivery_id, named.c.customer_id)
            .where(named.c.customer_id.is_not(None))
            .order_by(named.c.delivery_id, named.c.customer_id),
            include_defaults=False,
        )
        .on_conflict_do_nothing()
    )
