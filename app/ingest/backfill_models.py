"""Tables of what is brought in besides webhooks: files, and platforms' own lists of orders."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
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
        Index("ix_order_imports_due", "due_at", "brand_id", postgresql_where=text("due_at IS NOT NULL")),
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
    size: Mapped[int | None] = mapped_column(BigInteger)
    """Bytes of a file that was uploaded; None for one that a command read."""
    position: Mapped[int | None] = mapped_column(BigInteger)
    """How many bytes of it are read."""
    due_at: Mapped[Moment | None]
    """When a worker begins with an uploaded file, or goes on; None: never."""
    leased_until: Mapped[Moment | None]
    """Until then it belongs to the worker that reads it."""
    problem: Mapped[str | None]
    """Why an uploaded file is not read any further, in a sentence."""
    created_at: Mapped[Created]


class OrderImportPart(Base):
    """A piece of an uploaded file, which is kept until the file is read to its end."""

    __tablename__ = "order_import_parts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["brand_id", "import_id"], ["order_imports.brand_id", "order_imports.id"], ondelete="CASCADE"
        ),
    )

    brand_id: Mapped[BrandKey]
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 0 on."""
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Created]


class OrderImportRefusal(Base):
    """A record of an uploaded file that was refused; it holds nothing personal."""

    __tablename__ = "order_import_refusals"
    __table_args__ = (
        ForeignKeyConstraint(
            ["brand_id", "import_id"], ["order_imports.brand_id", "order_imports.id"], ondelete="CASCADE"
        ),
    )

    brand_id: Mapped[BrandKey]
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str]
    created_at: Mapped[Created]


class ShopSync(Base):
    """Where the synchronisation of a connected shop's orders stands: one row, so one at a time.

    One that is not finished goes on at `cursor`, whoever began it and however it broke off.
    """

    __tablename__ = "shop_syncs"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        Index("ix_shop_syncs_due", "due_at", "brand_id"),
    )

    brand_id: Mapped[BrandKey]
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    since: Mapped[Moment]
    """Orders that were changed at this time or later are read."""
    cursor: Mapped[str | None]
    """The page to read next, in the platform's terms; None: the first one."""
    history: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether orders that are not known are from before the start."""
    due_at: Mapped[Moment]
    """When a worker begins it, or goes on."""
    leased_until: Mapped[Moment | None]
    """Until then it belongs to the process that works on it."""
    claims: Mapped[int] = mapped_column(default=0)
    """Counted at each claim: a process whose number is not the newest writes nothing."""
    orders: Mapped[int] = mapped_column(default=0)
    """Orders that were read by the present run, or the last one; the next three are of these."""
    new: Mapped[int] = mapped_column(default=0)
    known: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    """Stored as failed deliveries, with the reason."""
    problem: Mapped[str | None]
    """Why it does not go on now, in a sentence."""
    started_at: Mapped[Moment]
    """Of the present run, or the last one."""
    finished_at: Mapped[Moment | None]
    """None while it is not finished."""
    created_at: Mapped[Created]
