"""Tables of what each referrer brought, and of the changes that are not counted yet."""

from uuid import UUID

from sqlalchemy import ARRAY, ForeignKeyConstraint, Index, Integer, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey

ALL_TIME = "all"
"""The span of everything; the others are years (`2026`) and months (`2026-11`)."""


class ReferrerFigure(Base):
    """What a referrer's friends ordered in a span of time, and what that cost, in one currency.

    Computed from the rows by `app.referrals.figures`; a span without an order has no row. The time
    of an order is when it was placed, in the brand's zone.
    """

    __tablename__ = "referrer_figures"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "referrer_id"], ["referrers.brand_id", "referrers.id"]),
        # Each ends with the shop, so that the list of one shop is read in the same order.
        Index(
            "ix_referrer_figures_revenue", "brand_id", "span", "currency", "revenue", "referrer_id", "shop_id"
        ),
        Index(
            "ix_referrer_figures_friends", "brand_id", "span", "currency", "friends", "referrer_id", "shop_id"
        ),
        Index(
            "ix_referrer_figures_profit", "brand_id", "span", "currency", "profit", "referrer_id", "shop_id"
        ),
    )

    brand_id: Mapped[BrandKey]
    referrer_id: Mapped[UUID] = mapped_column(primary_key=True)
    span: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    shop_id: Mapped[UUID]
    """The referrer's."""
    friends: Mapped[int] = mapped_column(Integer)
    """People who ordered; one whose order no longer counts is none."""
    orders: Mapped[int] = mapped_column(Integer)
    """Friends' orders that count or may still count."""
    revenue: Mapped[Minor]
    """What is left of these orders after refunds."""
    cost: Mapped[Minor]
    """Discounts, those of refused codes too, and rewards."""
    profit: Mapped[Minor | None]
    """What the brand's margin leaves of `revenue`, less `cost`; None for a brand without one."""
    last_order_at: Mapped[Moment | None]


class ReferrerChange(Base):
    """Referrers whose figures are to be computed anew; deleted with that.

    Only ever added by what changes them, so that two transactions never wait for each other.
    Without a referrer it asks whether the brand's zone or margin is another one.
    """

    __tablename__ = "referrer_changes"

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    referrer_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    created_at: Mapped[Created]


class FigureBasis(Base):
    """What a brand's figures are computed with; where the brand has another, all are again."""

    __tablename__ = "referrer_figure_bases"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    time_zone: Mapped[str]
    margin_percent: Mapped[int | None] = mapped_column(Integer)
