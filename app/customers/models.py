"""Tables of customers, their consents, suppressed addresses, and who was erased."""

from uuid import UUID

from sqlalchemy import BigInteger, Boolean, ForeignKeyConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Moment, RowKey, enum_text
from app.brands.programme import Channel
from app.customers.rules import SuppressionReason
from app.customers.word_rules import PERSON_WORDS


class Customer(Base):
    """One person of a brand. The identity is the e-mail address; without one, the phone number.

    Every detail has the time of the statement it comes from, so that a later arrival of an older
    statement changes nothing.
    """

    __tablename__ = "customers"
    __table_args__ = (
        Index(
            "uq_customers_email", "brand_id", "email", unique=True, postgresql_where=text("email IS NOT NULL")
        ),
        Index(
            "uq_customers_phone_alone",
            "brand_id",
            "phone",
            unique=True,
            postgresql_where=text("email IS NULL AND phone IS NOT NULL"),
        ),
        Index(
            "ix_customers_email_key", "brand_id", "email_key", postgresql_where=text("email_key IS NOT NULL")
        ),
        Index("ix_customers_phone", "brand_id", "phone", postgresql_where=text("phone IS NOT NULL")),
        # What waits to be sorted in is bounded, so that no insert has much of it to do.
        Index(
            "ix_customers_words",
            text(PERSON_WORDS),
            postgresql_using="gin",
            postgresql_with={"gin_pending_list_limit": 1024},
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    email: Mapped[str | None]
    """In lower case, an international domain in its ASCII form."""
    email_key: Mapped[str | None]
    """The address without aliases, as `contact.email_key` makes it; never written to."""
    phone: Mapped[str | None]
    """E.164."""
    phone_at: Mapped[Moment | None]
    phone_agreed: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether texts to this number were agreed to; such a number outranks one without."""
    first_name: Mapped[str | None]
    first_name_at: Mapped[Moment | None]
    last_name: Mapped[str | None]
    last_name_at: Mapped[Moment | None]
    locale: Mapped[str | None]
    locale_at: Mapped[Moment | None]
    time_zone: Mapped[str | None]
    time_zone_at: Mapped[Moment | None]
    """None: the time zone follows from the country."""
    country: Mapped[str | None]
    country_at: Mapped[Moment | None]
    country_own: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether it is the person's own; else a parcel went there. An own country outranks one."""
    erased_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class CustomerReference(Base):
    """The id that a shop's platform has for a customer."""

    __tablename__ = "customer_references"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        Index("ix_customer_references_customer", "brand_id", "customer_id"),
    )

    brand_id: Mapped[BrandKey]
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID]


class FormerReference(Base):
    """A customer whom a shop's platform knew by an id that belongs to another customer now.

    So an erasure finds who the person was before they changed their e-mail address.
    """

    __tablename__ = "former_references"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        Index("ix_former_references_customer", "brand_id", "customer_id"),
    )

    brand_id: Mapped[BrandKey]
    shop_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)


class ConsentFact(Base):
    """One consent or refusal as it was stated, kept once however often it is repeated.

    Append-only: rows go only when their customer is erased. The latest of a channel counts, of two
    at one time the refusal (`consent.latest_consent`); with no row nothing is known.
    """

    __tablename__ = "consent_facts"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
    )

    brand_id: Mapped[BrandKey]
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[Channel] = mapped_column(enum_text(Channel), primary_key=True)
    at: Mapped[Moment] = mapped_column(primary_key=True)
    given: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    opt_in_level: Mapped[str | None]
    source: Mapped[str | None]
    created_at: Mapped[Created]


class Suppression(Base):
    """One reason why nothing is sent to an address.

    The address is a keyed hash, so that the row survives an erasure. An address may have several
    reasons; each ends by itself. Rows are never deleted: `lifted_at` ends one.
    """

    __tablename__ = "suppressions"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        Index(
            "uq_suppressions_in_force",
            "brand_id",
            "channel",
            "address_key",
            "reason",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
        Index("ix_suppressions_address", "brand_id", "channel", "address_key"),
        Index("ix_suppressions_journal", "brand_id", postgresql_where=text("NOT journaled")),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    channel: Mapped[Channel] = mapped_column(enum_text(Channel))
    address_key: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[SuppressionReason] = mapped_column(enum_text(SuppressionReason))
    at: Mapped[Moment]
    lifted_at: Mapped[Moment | None]
    """When the person took it back; None while it is in force."""
    journaled: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Whether the journal has the row as it is."""
    created_at: Mapped[Created]


class ErasedIdentity(Base):
    """Something that identified an erased person, as a keyed hash; `customers.erased` has more."""

    __tablename__ = "erased_identities"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id"], ["brands.id"]),
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        Index("ix_erased_identities_sequence", "brand_id", "sequence"),
        Index("ix_erased_identities_erased_at", "erased_at", "brand_id"),
        Index("ix_erased_identities_journal", "brand_id", postgresql_where=text("NOT journaled")),
    )

    brand_id: Mapped[BrandKey]
    identity_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    customer_id: Mapped[UUID | None]
    """The emptied row; None for a person who had none."""
    sequence: Mapped[int] = mapped_column(BigInteger)
    """The erasure's place in the order of arrival: earlier deliveries are processed without the
    person, later ones belong to a new customer."""
    erased_at: Mapped[Moment]
    journaled: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Whether the journal has the row as it is."""
    created_at: Mapped[Created]
