"""Tables of orders and of what was reported about them."""

from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from sqlalchemy import JSON, Boolean, ForeignKeyConstraint, Index, Numeric, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.orders.facts_rules import FactKind
from app.orders.rules import OrderMoney, OrderStatus
from app.platforms.events import DisputeStatus


class StoredItem(TypedDict):
    """One line of an order; `unit_price` in minor units of the order's currency."""

    sku: str | None
    title: str
    quantity: float | None
    """None where it could not be read."""
    unit_price: int | None


class Order(Base):
    """One paid order of a shop.

    Its state (`fulfilled_at` to `dispute`) is a fold of its facts, and `number` to `paid_at` are
    what its versions add up to, of each field the newest one that states it.
    """

    __tablename__ = "orders"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        UniqueConstraint("brand_id", "shop_id", "external_id"),
        Index("ix_orders_customer", "brand_id", "customer_id", "placed_at"),
        Index("ix_orders_placed_at", "brand_id", "placed_at"),
        # For the search of people, by a whole number or its beginning.
        Index("ix_orders_number_start", "brand_id", "number", postgresql_ops={"number": "text_pattern_ops"}),
        Index("ix_orders_buyer", "brand_id", "buyer_key", postgresql_where=text("buyer_key IS NOT NULL")),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    shop_id: Mapped[UUID]
    external_id: Mapped[str]
    number: Mapped[str]
    customer_id: Mapped[UUID | None]
    """None where the order has no customer: no e-mail, no phone number, no id of a customer."""
    buyer_key: Mapped[bytes | None]
    """Keyed hash of the shop's own id of the buyer, which stays when their address changes."""
    currency: Mapped[str]
    subtotal: Mapped[Minor]
    """Goods before discounts."""
    total: Mapped[Minor]
    """What was paid with shipping, before refunds."""
    discount_total: Mapped[Minor]
    shipping_total: Mapped[Minor] = mapped_column(default=0)
    """The shipping in `total`."""
    refunded_wholly: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the shop states that everything was refunded, whatever the refunds add up to."""
    discount_codes: Mapped[list[str]]
    """As the shop wrote them, in the order of the shop."""
    discount_amounts: Mapped[dict[str, int] | None] = mapped_column(JSONB(none_as_null=True))
    """What codes took off as the shop states it, by `discount_key` of the code; what is gone of one
    that is worth an amount, where that is another, by `spent_key`."""
    referral: Mapped[str | None]
    """The share slug the friend came with."""
    source: Mapped[str | None]
    tags: Mapped[list[str]]
    items: Mapped[list[StoredItem]] = mapped_column(JSON)
    """`json`, not `jsonb`: only read whole, and written in a third of the time."""
    country: Mapped[str | None]
    address_key: Mapped[bytes | None]
    """Keyed hash of the shipping address, for fraud."""
    payment_key: Mapped[bytes | None]
    """Keyed hash of the payment fingerprint, for fraud."""
    confirmation_key: Mapped[bytes | None]
    """Keyed hash of what the shop gave the buyer as a proof of the order."""
    ordered_before: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the shop knows earlier orders of the buyer that it does not show us."""
    relayed: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the buyer's address is a marketplace's relay or a no-reply address."""
    test: Mapped[bool] = mapped_column(Boolean)
    history: Mapped[bool] = mapped_column(Boolean, default=False)
    """Imported from before the start: counts as an earlier order, never causes a message."""
    trial: Mapped[bool] = mapped_column(Boolean, default=False)
    """An order to try the whole path with, as its first report states: surveyed at once, left out
    of figures, budgets and newness."""
    placed_at: Mapped[Moment]
    paid_at: Mapped[Moment]
    version_at: Mapped[Moment] = mapped_column(
        default=lambda context: context.get_current_parameters()["placed_at"]
    )
    """The time of the newest version that was reported."""
    stated_at: Mapped[dict[str, str | None] | None] = mapped_column(JSONB(none_as_null=True))
    """When a field was stated, where not at `version_at`; null for a default value."""
    stood_at: Mapped[Moment | None]
    """When the shop last said that the order was not cancelled, where it may take one up again."""
    fulfilled_at: Mapped[Moment | None]
    delivered_at: Mapped[Moment | None]
    cancelled_at: Mapped[Moment | None]
    refunded: Mapped[Minor] = mapped_column(default=0)
    """Sum of all refunds, the total at least where everything was refunded."""
    refunded_shipping: Mapped[Minor] = mapped_column(default=0)
    """The part of `refunded` that is for shipping."""
    status: Mapped[OrderStatus] = mapped_column(enum_text(OrderStatus), default=OrderStatus.paid)
    dispute: Mapped[DisputeStatus | None] = mapped_column(enum_text(DisputeStatus))
    """Where the disputes of its payment stand together; None where there was none."""
    created_at: Mapped[Created]

    @property
    def money(self) -> OrderMoney:
        """What the order is worth and what went back."""
        return OrderMoney(
            self.total,
            self.shipping_total,
            self.refunded,
            self.refunded_shipping,
            cancelled=self.cancelled_at is not None,
        )


class OrderFact(Base):
    """One fact about an order, stored once, possibly before the order itself.

    A repeated report is the same row. `key`, `amount`, `shipping` and `quantity` are those of
    `ReportedFact`; amounts are in major units, since a refund may come before its order and its
    currency.
    """

    __tablename__ = "order_facts"
    __table_args__ = (UniqueConstraint("brand_id", "shop_id", "order_external_id", "kind", "key"),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    shop_id: Mapped[UUID]
    order_external_id: Mapped[str]
    kind: Mapped[FactKind] = mapped_column(enum_text(FactKind))
    key: Mapped[str] = mapped_column(default="")
    amount: Mapped[Decimal | None] = mapped_column(Numeric)
    dispute: Mapped[DisputeStatus | None] = mapped_column(enum_text(DisputeStatus))
    """Where a dispute stood at `at`, the time of its latest report."""
    shipping: Mapped[Decimal | None] = mapped_column(Numeric)
    quantity: Mapped[Decimal | None] = mapped_column(Numeric)
    at: Mapped[Moment]
    created_at: Mapped[Created]
