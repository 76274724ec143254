"""Tables of what is brought in besides webhooks: imports of files."""

from uuid import UUID

from sqlalchemy import Boolean, ForeignKeyConstraint, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.platforms.order_files import FileFormat


class OrderImport(Base):
    """A file of orders and how much of it is imported, so that one that broke off goes on there.

    The file is known by its content alone; its name may be a person's.
    """

    __tablename__ = "order_imports"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        UniqueConstraint("brand_id", "shop_id", "content_hash", "format", "history"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    shop_id: Mapped[UUID]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256."""
    format: Mapped[FileFormat] = mapped_column(enum_text(FileFormat))
    history: Mapped[bool] = mapped_column(Boolean)
    """Whether its orders are from before the start."""
    records: Mapped[int] = mapped_column(default=0)
    """How many of its records are done, from the first one on; the numbers below are of these."""
    new: Mapped[int] = mapped_column(default=0)
    """Orders that were not known before."""
    known: Mapped[int] = mapped_column(default=0)
    unpaid: Mapped[int] = mapped_column(default=0)
    """Records that hold nothing that is used: most are orders that were not paid."""
    refused: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[Moment]
    finished_at: Mapped[Moment | None]
    """None: it is running, or broke off."""
    created_at: Mapped[Created]
