"""Tables of raw deliveries, what is fetched for them, whom they name, and erasures."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.ingest.rules import DeliveryStatus


class Delivery(Base):
    """One delivery of a shop, stored as it was received.

    A repeated one is the same row; one with the same id and another body is a row of its own.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("brand_id", "shop_id", "external_id", "source", "body_hash"),
        Index("ix_deliveries_new", "brand_id", "sequence", postgresql_where=text("status = 'new'")),
        Index("ix_deliveries_status", "brand_id", "status", "id"),
        Index(
            "ix_deliveries_retained",
            "received_at",
            "brand_id",
            postgresql_where=text("body <> '' AND status IN ('processed', 'ignored', 'failed')"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    sequence: Mapped[int] = mapped_column(BigInteger, Identity())
    """Order of arrival."""
    shop_id: Mapped[UUID]
    source: Mapped[str]
    """The platform whose webhook endpoint it came through, `api`, or `import`."""
    topic: Mapped[str]
    external_id: Mapped[str]
    """The delivery's id as the platform gives it."""
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """Empty once it is too old, or a person whom it names was erased."""
    body_hash: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    """The start of the SHA-256 of the body as it came; stays when the body is emptied."""
    status: Mapped[DeliveryStatus] = mapped_column(enum_text(DeliveryStatus), default=DeliveryStatus.new)
    reason: Mapped[str | None]
    received_at: Mapped[Moment]
    processed_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class DeliveryFetch(Base):
    """The content of a delivery that only names what changed: to be fetched, or fetched."""

    __tablename__ = "delivery_fetches"
    __table_args__ = (
        ForeignKeyConstraint(
            ["brand_id", "delivery_id"], ["deliveries.brand_id", "deliveries.id"], ondelete="CASCADE"
        ),
        Index("ix_delivery_fetches_due", "brand_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    brand_id: Mapped[BrandKey]
    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str]
    """What to fetch, in the adapter's own terms."""
    due_at: Mapped[Moment | None]
    """When the next attempt is due; None once it was fetched or given up."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Attempts that were started."""
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What was fetched."""
    created_at: Mapped[Created]


class DeliveryCustomer(Base):
    """A customer whom a processed delivery names."""

    __tablename__ = "deliveries_customers"
    __table_args__ = (
        # None for the delivery: it is locked while its links are written, and never deleted. The
        # check would take as long as writing the links.
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        Index("ix_deliveries_customers_customer", "brand_id", "customer_id"),
    )

    brand_id: Mapped[BrandKey]
    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)


class Erasure(Base):
    """An erasure of a person, or of all people whom only one shop knows.

    What the person's rows held is gone when this row is committed. `due_at` is the next pass over
    what may still name them: raw deliveries that are linked to nobody, friends' orders with their
    code, and whatever a transaction that ran at the same time wrote.
    """

    __tablename__ = "erasures"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        Index("ix_erasures_due", "brand_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_erasures_sequence", "brand_id", "sequence"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    customer_id: Mapped[UUID | None]
    """The emptied row; None for a person who had none, and for a shop's people."""
    shop_id: Mapped[UUID | None]
    """The shop whose people are erased."""
    sequence: Mapped[int] = mapped_column(BigInteger)
    """Its place in the order of arrival of deliveries."""
    passes: Mapped[int] = mapped_column(SmallInteger, default=0)
    """How many passes are done."""
    due_at: Mapped[Moment | None]
    """When the next pass is due; None once nothing is left to do."""
    erased_at: Mapped[Moment]
    created_at: Mapped[Created]


class DataRequest(Base):
    """Somebody asked a shop for their data, and the platform passed it on.

    The customers are those whom its delivery names. What the brand holds of them is collected when
    staff fetch the export, so it is always whole and never kept twice.
    """

    __tablename__ = "data_requests"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        ForeignKeyConstraint(["brand_id", "delivery_id"], ["deliveries.brand_id", "deliveries.id"]),
        UniqueConstraint("brand_id", "shop_id", "external_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    shop_id: Mapped[UUID]
    external_id: Mapped[str]
    """The platform's id of the request; a repeated one is the same row."""
    delivery_id: Mapped[UUID]
    requested_at: Mapped[Moment]
    done_at: Mapped[Moment | None]
    """When staff noted that the person has their data."""
    created_at: Mapped[Created]
