"""The orders in the export of a person's data."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import public_id
from app.base.money import to_text
from app.brands.models import Shop
from app.orders.models import Order, StoredItem
from app.orders.schemas import ItemExport, OrderExport


async def export_orders(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[OrderExport]:
    """One customer's orders with their lines, oldest first."""
    rows = await session.execute(
        select(Order, Shop.slug)
        .join(Shop, (Shop.brand_id == Order.brand_id) & (Shop.id == Order.shop_id))
        .where(Order.brand_id == brand_id, Order.customer_id == customer_id)
        .order_by(Order.placed_at, Order.id)
    )
    return [_order(order, shop) for order, shop in rows]


def _order(order: Order, shop: str) -> OrderExport:
    return OrderExport(
        id=public_id("ord", order.id),
        shop=shop,
        external_id=order.external_id,
        number=order.number,
        currency=order.currency,
        status=order.status,
        discount_codes=order.discount_codes,
        referral=order.referral,
        source=order.source,
        tags=order.tags,
        country=order.country,
        test=order.test,
        trial=order.trial,
        subtotal=to_text(order.subtotal, order.currency),
        total=to_text(order.total, order.currency),
        discount_total=to_text(order.discount_total, order.currency),
        refunded=to_text(order.refunded, order.currency),
        placed_at=order.placed_at,
        paid_at=order.paid_at,
        fulfilled_at=order.fulfilled_at,
        delivered_at=order.delivered_at,
        cancelled_at=order.cancelled_at,
        items=[_item(item, order.currency) for item in order.items],
    )


def _item(item: StoredItem, currency: str) -> ItemExport:
    price = item["unit_price"]
    return ItemExport.model_validate(
        {**item, "unit_price": to_text(price, currency) if isinstance(price, int) else None}
    )
