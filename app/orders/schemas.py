"""What the API shows of orders."""

from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row

from app.base import money
from app.base.ids import public_id, public_id_or_none
from app.base.masking import mask_typed_code
from app.base.schemas import ApiModel, RowModel
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.platforms.events import DisputeStatus


class OrderRow(RowModel):
    """An order with its state; names in codes are masked without the scope `pii`."""

    created_at: datetime
    shop: str
    external_id: str
    number: str
    customer: str | None
    subtotal: str
    total: str
    discount_total: str
    shipping_total: str
    refunded: str
    currency: str
    discount_codes: list[str]
    referral: str | None
    placed_at: datetime
    fulfilled_at: datetime | None
    delivered_at: datetime | None
    cancelled_at: datetime | None
    status: OrderStatus | str
    dispute: DisputeStatus | None
    test: bool
    history: bool
    trial: bool

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:
        """Build the model of a row of `Order` and `shop`, the shop's slug."""
        order: Order = row.Order
        return cls(
            id=public_id("ord", order.id),
            created_at=order.created_at,
            shop=row.shop,
            external_id=order.external_id,
            number=order.number,
            customer=public_id_or_none("cus", order.customer_id),
            subtotal=money.to_text(order.subtotal, order.currency),
            total=money.to_text(order.total, order.currency),
            discount_total=money.to_text(order.discount_total, order.currency),
            shipping_total=money.to_text(order.shipping_total, order.currency),
            refunded=money.to_text(order.refunded, order.currency),
            currency=order.currency,
            discount_codes=[code if pii else mask_typed_code(code) for code in order.discount_codes],
            referral=order.referral,
            placed_at=order.placed_at,
            fulfilled_at=order.fulfilled_at,
            delivered_at=order.delivered_at,
            cancelled_at=order.cancelled_at,
            status=order.status,
            dispute=order.dispute,
            test=order.test,
            history=order.history,
            trial=order.trial,
        )


class ItemExport(ApiModel):
    """One line of an order."""

    sku: str | None = None
    title: str | None = None
    quantity: int | float | None = None
    unit_price: str | None


class OrderExport(ApiModel):
    """One order with its lines: for the person to have."""

    id: str
    shop: str
    external_id: str
    number: str
    currency: str
    status: OrderStatus | str
    discount_codes: list[str]
    referral: str | None
    source: str | None
    tags: list[str]
    country: str | None
    test: bool
    trial: bool
    subtotal: str
    total: str
    discount_total: str
    refunded: str
    placed_at: datetime
    paid_at: datetime
    fulfilled_at: datetime | None
    delivered_at: datetime | None
    cancelled_at: datetime | None
    items: list[ItemExport]
