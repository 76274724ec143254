"""Tables of orders and of what was reported about them."""

from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from sqlalchemy import Boolean, ForeignKeyConstraint, Index, Numeric, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.orders.rules import FactKind, OrderStatus
from app.platforms.events import DisputeStatus


class StoredItem(TypedDict):
    """One line of an order; `unit_price` in minor units of the order's currency."""

    sku: str | None
    title: str
    quantity: int
    unit_price: int | None


class Order(Base):
    """One paid order of a shop. Its state (`fulfilled_at` to `status`) is a fold of its facts."""

    __tablename__ = "orders"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        UniqueConstraint("brand_id", "shop_id", "external_id"),
        Index("ix_orders_customer", "brand_id", "customer_id", "placed_at"),
        Index("ix_orders_placed_at", "brand_id", "placed_at"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    shop_id: Mapped[UUID]
    external_id: Mapped[str]
    number: Mapped[str]
    customer_id: Mapped[UUID | None]
    """None where the order has no customer: no e-mail, no phone number, no id of a customer."""
    currency: Mapped[str]
    subtotal: Mapped[Minor]
    total: Mapped[Minor]
    discount_total: Mapped[Minor]
    discount_codes: Mapped[list[str]]
    """As the shop wrote them, in the order of the shop."""
    referral: Mapped[str | None]
    """The share slug the friend came with."""
    source: Mapped[str | None]
    tags: Mapped[list[str]]
    items: Mapped[list[StoredItem]] = mapped_column(JSONB)
    country: Mapped[str | None]
    address_key: Mapped[bytes | None]
    """Keyed hash of the shipping address, for fraud."""
    payment_key: Mapped[bytes | None]
    """Keyed hash of the payment fingerprint, for fraud."""
    test: Mapped[bool] = mapped_column(Boolean)
    history: Mapped[bool] = mapped_column(Boolean, default=False)
    """Imported from before the start: counts as an earlier order, never causes a message."""
    placed_at: Mapped[Moment]
    paid_at: Mapped[Moment]
    fulfilled_at: Mapped[Moment | None]
    delivered_at: Mapped[Moment | None]
    cancelled_at: Mapped[Moment | None]
    refunded: Mapped[Minor] = mapped_column(default=0)
    """Sum of all refunds."""
    status: Mapped[OrderStatus] = mapped_column(enum_text(OrderStatus), default=OrderStatus.paid)
    dispute: Mapped[DisputeStatus | None] = mapped_column(enum_text(DisputeStatus))
    """Where the disputes of its payment stand together; None where there was none."""
    created_at: Mapped[Created]


class OrderFact(Base):
    """One fact about an order, stored once, possibly before the order itself.

    `key` is the id of a refund or dispute and empty otherwise; a repeated report is the same row.
    `amount` is in major units, since a refund may come before its order and its currency.
    """

    __tablename__ = "order_facts"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        UniqueConstraint("brand_id", "shop_id", "order_external_id", "kind", "key"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    shop_id: Mapped[UUID]
    order_external_id: Mapped[str]
    kind: Mapped[FactKind] = mapped_column(enum_text(FactKind))
    key: Mapped[str] = mapped_column(default="")
    amount: Mapped[Decimal | None] = mapped_column(Numeric)
    dispute: Mapped[DisputeStatus | None] = mapped_column(enum_text(DisputeStatus))
    """Where a dispute stood at `at`, the time of its latest report."""
    at: Mapped[Moment]
    created_at: Mapped[Created]
