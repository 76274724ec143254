"""The table of codes that are taken for leaked."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Integer
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, enum_text
from app.referrals.leak_rules import LeakReason


class SuspectedLeak(Base):
    """A share code that strangers seem to use; what somebody decided about it stays."""

    __tablename__ = "suspected_leaks"
    __table_args__ = (ForeignKeyConstraint(["brand_id", "code_id"], ["codes.brand_id", "codes.id"]),)

    brand_id: Mapped[BrandKey]
    code_id: Mapped[UUID] = mapped_column(primary_key=True)
    reason: Mapped[LeakReason] = mapped_column(enum_text(LeakReason))
    orders: Mapped[int] = mapped_column(Integer)
    """These three as they were counted last (`leak_rules.CodeUse`)."""
    turned_away: Mapped[int] = mapped_column(Integer)
    visits: Mapped[int] = mapped_column(Integer)
    found_at: Mapped[Moment]
    dismissed_at: Mapped[Moment | None]
    """When somebody decided that it is not leaked."""
    created_at: Mapped[Created]
