"""The table of the shops' connections to their platforms."""

from uuid import UUID

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment


class ShopConnection(Base):
    """How we call a shop's platform: one connection per shop."""

    __tablename__ = "shop_connections"
    __table_args__ = (ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),)

    brand_id: Mapped[BrandKey]
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    account: Mapped[str]
    """The shop's name at the platform: a domain, a store hash, an account id."""
    sealed_credentials: Mapped[str]
    """A JSON object of texts, sealed with the installation's secret key."""
    updated_at: Mapped[Moment]
    created_at: Mapped[Created]
