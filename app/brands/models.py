"""Tables of brands, shops and programme versions."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, ForeignKeyConstraint, Identity, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, RowKey, enum_text
from app.base.i18n import language_of
from app.brands.programme import RewardKind
from app.brands.rules import AddressForm, BrandingJson, CountryRulesJson, Platform


class Brand(Base):
    """What customers see as the sender.

    It owns customers, consents, suppressions, programme, templates, codes and rewards.
    """

    __tablename__ = "brands"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    locale: Mapped[str] = mapped_column(default="en")
    address_form: Mapped[AddressForm] = mapped_column(enum_text(AddressForm), default=AddressForm.formal)
    """How customers are addressed in languages that tell forms apart, such as German Sie and du."""
    postal_address: Mapped[str] = mapped_column(default="")
    email_from: Mapped[str | None]
    domains: Mapped[list[str]] = mapped_column(default=list)
    """Where the sender's address and the shops' addresses may lie, subdomains included; set by
    commands alone."""
    privacy_url: Mapped[str | None]
    terms_url: Mapped[str | None]
    imprint_url: Mapped[str | None]
    branding: Mapped[BrandingJson] = mapped_column(JSONB, default=dict)
    countries: Mapped[dict[str, CountryRulesJson]] = mapped_column(JSONB, default=dict)
    """Rules by ISO 3166 code."""
    text_changes: Mapped[int] = mapped_column(Integer, default=0)
    """How often its texts of templates were changed; 0 for a brand that has none of its own."""
    margin_percent: Mapped[int | None] = mapped_column(Integer)
    """What is left of revenue before the programme's costs; None where it is not known."""
    default_reward: Mapped[RewardKind] = mapped_column(enum_text(RewardKind), default=RewardKind.code)
    """What rewards are while nobody says it: credit where all shops let it be spent, else codes."""
    opens_passives: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Whether the team gets passives' answers with a comment too, and not detractors' alone."""
    names_reward: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the programme in force was given the kind of its rewards, and not the default."""
    created_at: Mapped[Created]

    def language_for(self, locale: str | None = None) -> str:
        """The language of a reader with this locale, in the brand's form of address.

        It is the reader's own where we have it, else that of the brand's locale, else English: one
        of `app.base.i18n.languages()` or `variants()`.
        """
        return language_of(locale, self.locale, variant=self.address_form)

    @property
    def legal_urls(self) -> dict[str, str | None]:
        """What every page and mail links to, by the names that templates use."""
        return {
            "privacy_url": self.privacy_url,
            "terms_url": self.terms_url,
            "imprint_url": self.imprint_url,
        }


class Shop(Base):
    """One shop of a brand; order ids are unique within it."""

    __tablename__ = "shops"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        UniqueConstraint("brand_id", "slug"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    slug: Mapped[str]
    name: Mapped[str]
    platform: Mapped[Platform] = mapped_column(enum_text(Platform), default=Platform.checkout)
    currency: Mapped[str] = mapped_column(default="EUR")
    time_zone: Mapped[str] = mapped_column(default="UTC")
    locale: Mapped[str] = mapped_column(default="en")
    url: Mapped[str | None]
    platform_settings: Mapped[dict[str, str]] = mapped_column(JSONB, default=dict)
    """Names that the platform leaves to each shop, as its adapter's `settings` checks them."""
    sealed_secrets: Mapped[list[str]] = mapped_column(default=list)
    """Webhook secrets, sealed, the current one first; two while one is being exchanged."""
    created_at: Mapped[Created]


class BrandImage(Base):
    """A file that pages and mails of a brand show, by a name that its content gives it."""

    __tablename__ = "brand_images"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    file: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[bytes]
    created_at: Mapped[Created]


class ShopSlug(Base):
    """Finds a shop by the slug in its webhook's path.

    Slugs are unique in the installation, so they are in a small table of their own. It is a
    reference table where the others are distributed by brand, and such a one cannot have a foreign
    key to a distributed table: nothing but the invariant `slug_names_its_shop` checks `shop_id`.
    """

    __tablename__ = "shop_slugs"

    slug: Mapped[str] = mapped_column(primary_key=True)
    brand_id: Mapped[int] = mapped_column(ForeignKey("brands.id"))
    shop_id: Mapped[UUID]


class TermsVersion(Base):
    """Offer and reward terms that were in force at some time; rows are added, never changed.

    The id is a hash of the content, so that the same terms are one row however often they come
    back.
    """

    __tablename__ = "terms"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    id: Mapped[UUID] = mapped_column(primary_key=True)
    offer: Mapped[dict[str, Any]]
    reward: Mapped[dict[str, Any]]
    created_at: Mapped[Created]


class ProgrammeVersion(Base):
    """A programme as it was from one change to the next. Rows are added, never changed."""

    __tablename__ = "programmes"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        ForeignKeyConstraint(["brand_id", "terms_id"], ["terms.brand_id", "terms.id"]),
    )

    brand_id: Mapped[BrandKey]
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    terms_id: Mapped[UUID]
    """Its offer and reward terms, which several versions may share."""
    terms: Mapped[dict[str, Any]]
    """The whole programme."""
    author: Mapped[str]
    created_at: Mapped[Created]
