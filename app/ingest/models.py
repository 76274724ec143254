"""The inbox: every delivery a shop made, raw, once."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Identity, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, choice
from app.ingest.rules import EventStatus


class Event(Base):
    """One delivery of a shop, kept as it came; a repeated one is the same row."""

    __tablename__ = "events"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        UniqueConstraint("brand_id", "shop_id", "source", "external_id"),
        Index("ix_events_new", "brand_id", "sequence", postgresql_where=text("status = 'new'")),
        Index("ix_events_status", "brand_id", "status", "id"),
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
    status: Mapped[EventStatus] = mapped_column(choice(EventStatus), default=EventStatus.new)
    reason: Mapped[str | None]
    received_at: Mapped[Moment]
    processed_at: Mapped[Moment | None]
    created_at: Mapped[Created]
