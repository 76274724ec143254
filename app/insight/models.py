"""Tables of the roll-ups: figures by day, days to be computed again, and how far each brand is."""

from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Float, ForeignKeyConstraint, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Moment


class Rollup(Base):
    """How far the roll-ups of a brand are; no row: nothing of it was looked at yet."""

    __tablename__ = "rollups"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    time_zone: Mapped[str | None]
    """The zone of its days; null while the brand is small and read from its rows alone."""
    built_at: Mapped[Moment | None]
    """Since when every day is there; null while they are being built."""
    as_of: Mapped[Moment | None]
    """What was committed by then is in the figures."""
    version: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    """The `roll_rules.VERSION` by which its days are computed."""
    due_at: Mapped[Moment]
    """When the next round begins, or the present one began."""
    read_at: Mapped[Moment | None]
    """When all notes were read in the present round; its days are still being computed."""
    spent_seconds: Mapped[float] = mapped_column(Float, server_default=text("0"))
    """How long the present round has taken; the pause after it follows from it."""


class DirtyDay(Base):
    """A day whose figures are to be computed again; `roll_rules.NO_DAY` is what has no day."""

    __tablename__ = "dirty_days"

    brand_id: Mapped[BrandKey]
    day: Mapped[date] = mapped_column(primary_key=True)


class DailyFigure(Base):
    """What one figure counts on one day in one shop under one key.

    `figure` names one of `app.insight.figures.FIGURES`, which says what `counts` are and what `key`
    is. A row of a month adds up those of its days.
    """

    __tablename__ = "daily_figures"

    brand_id: Mapped[BrandKey]
    figure: Mapped[str] = mapped_column(primary_key=True)
    span: Mapped[str] = mapped_column(primary_key=True)
    """A `roll_rules.Span`."""
    day: Mapped[date] = mapped_column(primary_key=True)
    """In the zone of the brand's `Rollup`; the first of a month, or `roll_rules.NO_DAY`."""
    until: Mapped[date] = mapped_column(primary_key=True)
    """It counts in periods that end on this day or before: of responses, the day on which the
    person gave a later one; else `roll_rules.FOREVER`."""
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    """Such as a channel, a currency or a product; empty where there is none."""
    counts: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
