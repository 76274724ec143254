"""The table of offers that were not made, or of which the promoter could not be told."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.brands.programme import Channel
from app.referrals.rules import WithheldReason


class WithheldOffer(Base):
    """A decision not to give a promoter an offer, or not to tell them; added, never changed."""

    __tablename__ = "withheld_offers"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        # By the table's name alone: surveys belong to a package above this one.
        ForeignKeyConstraint(["brand_id", "survey_id"], ["surveys.brand_id", "surveys.id"]),
        UniqueConstraint(
            "brand_id",
            "customer_id",
            "survey_id",
            "reason",
            "channel",
            name="uq_withheld_offers",
            postgresql_nulls_not_distinct=True,
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    customer_id: Mapped[UUID]
    survey_id: Mapped[UUID | None]
    """The survey whose response would have earned it; None for an imported promoter."""
    reason: Mapped[WithheldReason] = mapped_column(enum_text(WithheldReason))
    channel: Mapped[Channel | None] = mapped_column(enum_text(Channel))
    """Where the person could not be reached; None for an offer that was not made at all."""
    at: Mapped[Moment]
    created_at: Mapped[Created]
