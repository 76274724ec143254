"""The inbox: every delivery a shop made, raw, once."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Identity, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.ingest.rules import DeliveryStatus


class Delivery(Base):
    """One delivery of a shop, kept as it came; a repeated one is the same row."""

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        UniqueConstraint("brand_id", "shop_id", "source", "external_id"),
        Index("ix_deliveries_new", "brand_id", "sequence", postgresql_where=text("status = 'new'")),
        Index("ix_deliveries_status", "brand_id", "status", "id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    sequence: Mapped[int] = mapped_column(BigInteger, Identity())
    """Order of arrival."""
    shop_id: Mapped[UUID]
    source: Mapped[str]
    """The platform whose door it came through, `api`, or `import`."""
    topic: Mapped[str]
    external_id: Mapped[str]
    """The delivery's id as the platform gives it."""
    body: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[DeliveryStatus] = mapped_column(enum_text(DeliveryStatus), default=DeliveryStatus.new)
    reason: Mapped[str | None]
    received_at: Mapped[Moment]
    processed_at: Mapped[Moment | None]
    created_at: Mapped[Created]
