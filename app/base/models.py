"""Tables of the outbox and of the installation."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Moment, RowKey


class SecretKeyRow(Base):
    """A secret key that the database was used with, known by its fingerprint alone."""

    __tablename__ = "secret_keys"

    fingerprint: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sealed_root: Mapped[str | None]
    """The root of the keyed hashes, sealed under this key; null once the key was replaced."""
    current_since: Mapped[Moment]
    """The row with the latest time is the present key's."""
    rotated_at: Mapped[Moment | None]
    """When everything was sealed under it; earlier links may be under another key."""


class Installation(Base):
    """The one row of this installation; a restored copy has the same id."""

    __tablename__ = "installations"

    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    """Always 1."""
    id: Mapped[UUID]
    fenced_at: Mapped[Moment | None]
    """Since when nothing is sent; null while sending is allowed."""
    fence_reason: Mapped[str | None]


class JournalPosition(Base):
    """The highest number that a writer of the journal has reserved in this database."""

    __tablename__ = "journal_positions"

    writer: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


class DomainEvent(Base):
    """Something that happened, written in the commit that made it happen.

    A row exists until it is fanned out to its consumers.
    """

    __tablename__ = "domain_events"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    occurred_at: Mapped[Moment]


class EventTask(Base):
    """One event for one consumer; the row exists until that consumer has processed it."""

    __tablename__ = "event_tasks"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        Index(None, "brand_id", "consumer", "due_at"),
    )

    brand_id: Mapped[BrandKey]
    event_id: Mapped[RowKey]
    consumer: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    occurred_at: Mapped[Moment]
    due_at: Mapped[Moment]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    """How often the consumer has failed."""


class TouchedRows(Base):
    """Rows that changed in one transaction, until the roll-ups have taken note; only added.

    It refers to no other table: a batch writes one, and nothing may wait for it.
    """

    __tablename__ = "touched_rows"

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    table_name: Mapped[str]
    """A `touched.TouchedTable`."""
    row_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    moments: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    """Times that the rows no longer have."""
