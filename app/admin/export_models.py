"""The table of exports: what was taken, how far it is, and whether it left as a whole."""

from uuid import UUID

from sqlalchemy import BigInteger, Boolean, ForeignKeyConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.admin.export_rules import ExportFormat, ExportName
from app.base.actor import ActorKind
from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text


class ListExport(Base):
    """A list that somebody takes, or took, as a file; the file itself is stored nowhere."""

    __tablename__ = "list_exports"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    name: Mapped[ExportName] = mapped_column(enum_text(ExportName))
    format: Mapped[ExportFormat] = mapped_column(enum_text(ExportFormat))
    filters: Mapped[dict[str, str]] = mapped_column(JSONB)
    """As its address had them, without what may name a person."""
    people: Mapped[bool] = mapped_column(Boolean)
    """Whether personal fields are in it."""
    actor_kind: Mapped[ActorKind] = mapped_column(enum_text(ActorKind))
    actor_id: Mapped[UUID | None]
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    """How many were read so far."""
    advanced_at: Mapped[Moment]
    """When a part was read last."""
    finished_at: Mapped[Moment | None]
    """When the whole file had left."""
    failed_at: Mapped[Moment | None]
    """When it broke off by an error."""
    created_at: Mapped[Created]
