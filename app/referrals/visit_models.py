"""Tables of visits of share links."""

from datetime import date
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey

_REFERRER = (["brand_id", "referrer_id"], ["referrers.brand_id", "referrers.id"])


class Visit(Base):
    """A person who opened a share link, once a day, and the code they were given if they asked.

    Nothing else about them is stored.
    """

    __tablename__ = "visits"
    __table_args__ = (
        ForeignKeyConstraint(*_REFERRER),
        ForeignKeyConstraint(["brand_id", "code_id"], ["codes.brand_id", "codes.id"]),
        UniqueConstraint("brand_id", "referrer_id", "visitor"),
        UniqueConstraint("brand_id", "code_id"),
        Index("ix_visits_at", "at", "brand_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    referrer_id: Mapped[UUID]
    visitor: Mapped[bytes]
    """`Tokens.visitor_key` of the link, the day, the network and the browser."""
    code_id: Mapped[UUID | None]
    """Their `friend` code; None for somebody who only looked."""
    network: Mapped[bytes | None]
    """`Tokens.visitor_key` of the link, the day and the network, for somebody who has a code."""
    at: Mapped[Moment]
    created_at: Mapped[Created]


class VisitCount(Base):
    """How many people opened a share link on a day whose visits are deleted."""

    __tablename__ = "visit_counts"
    __table_args__ = (ForeignKeyConstraint(*_REFERRER),)

    brand_id: Mapped[BrandKey]
    referrer_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    """In the brand's time zone."""
    visits: Mapped[int] = mapped_column(Integer)
