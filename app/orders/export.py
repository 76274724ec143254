"""The orders in the export of a person's data."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import public_id
from app.base.money import to_text
from app.brands.models import Shop
from app.orders.models import Order


async def export_orders(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[dict[str, Any]]:
    """One customer's orders as plain JSON, oldest first; amounts are decimal strings."""
    found = await session.execute(
        select(Order, Shop.slug)
        .join(Shop, (Shop.brand_id == Order.brand_id) & (Shop.id == Order.shop_id))
        .where(Order.brand_id == brand_id, Order.customer_id == customer_id)
        .order_by(Order.placed_at, Order.id)
    )
    return [_order(order, shop) for order, shop in found]


def _order(order: Order, shop: str) -> dict[str, Any]:
    amounts = ("subtotal", "total", "discount_total", "refunded")
    times = ("placed_at", "paid_at", "fulfilled_at", "delivered_at", "cancelled_at")
    plain = (
        "external_id",
        "number",
        "currency",
        "status",
        "discount_codes",
        "referral",
        "source",
        "tags",
        "country",
        "test",
    )
    moments = {name: getattr(order, name) for name in times}
    items = [
        {
            **item,
            "unit_price": None if item["unit_price"] is None else to_text(item["unit_price"], order.currency),
        }
        for item in order.items
    ]
    return {
        "id": public_id("ord", order.id),
        "shop": shop,
        **{name: getattr(order, name) for name in plain},
        **{name: to_text(getattr(order, name), order.currency) for name in amounts},
        **{name: moment and moment.isoformat() for name, moment in moments.items()},
        "items": items,
    }
