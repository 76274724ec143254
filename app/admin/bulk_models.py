"""The table of decisions about many friends' orders at once."""

from typing import TypedDict
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.admin.filter_texts import FilterTexts
from app.admin.rules import BulkAction
from app.base.actor import ActorKind
from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text


class StoredProblem(TypedDict):
    """A friend's order that was left as it is: its `red_…`, its number, the code of the reason."""

    redemption: str
    number: str
    code: str


class BulkDecision(Base):
    """One decision about all friends' orders of a filter, and how far it is done.

    They are decided in the order of their ids, batch by batch, each in a transaction that also
    moves `last_id`.
    """

    __tablename__ = "bulk_decisions"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        Index("ix_bulk_decisions_open", "brand_id", "id", postgresql_where=text("finished_at IS NULL")),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    action: Mapped[BulkAction] = mapped_column(enum_text(BulkAction))
    wanted: Mapped[FilterTexts] = mapped_column(JSONB)
    """Without its code once it is done, since a code may name a person."""
    reason: Mapped[str | None]
    """In a person's words; removed once it is done, as each redemption has it."""
    shop_ids: Mapped[list[str] | None] = mapped_column(JSONB)
    """Those that the actor sees; None for all."""
    actor_kind: Mapped[ActorKind] = mapped_column(enum_text(ActorKind))
    actor_id: Mapped[UUID | None]
    until_id: Mapped[UUID]
    """The newest redemption that is meant."""
    last_id: Mapped[UUID | None]
    """The last one that was looked at."""
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    left_out: Mapped[int] = mapped_column(default=0)
    problems: Mapped[list[StoredProblem]] = mapped_column(JSONB)
    """Of those that were left out, at most 100."""
    finished_at: Mapped[Moment | None]
    created_at: Mapped[Created]
