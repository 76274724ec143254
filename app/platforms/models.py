"""The table of the shops' connections to their platforms."""

from uuid import UUID

from sqlalchemy import Boolean, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment


class ShopConnection(Base):
    """How we call a shop's platform: one connection per shop."""

    __tablename__ = "shop_connections"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        # Two shops of one account would each count its orders.
        UniqueConstraint("brand_id", "account"),
    )

    brand_id: Mapped[BrandKey]
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    account: Mapped[str]
    """The shop's name at the platform: a domain, a store hash, an account id."""
    sealed_credentials: Mapped[str]
    """A JSON object of texts, sealed with the installation's secret key."""
    updated_at: Mapped[Moment]
    check_due_at: Mapped[Moment]
    """When the connection is checked next; while a check runs, when it is made again."""
    checked_at: Mapped[Moment | None]
    """The last check; None before the first one of these credentials, and from when somebody asks
    for another one until it is made."""
    problems: Mapped[list[str]] = mapped_column(default=list)
    """What the last check found, in sentences; `notes` and `webhooks` too."""
    notes: Mapped[list[str]] = mapped_column(default=list)
    webhooks: Mapped[list[str]] = mapped_column(default=list)
    """The topics that the platform delivered to us at the last check."""
    holds_credit: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the shop lets customers spend credit that we put there, as of the last check."""
    created_at: Mapped[Created]
