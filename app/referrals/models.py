"""Tables of referrers, codes, visits, redemptions, rewards and the ledger."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.brands.programme import DiscountKind, RewardKind
from app.referrals.rules import LedgerAccount, RedemptionStatus, RewardStatus

_HOLDS_USE = "holds_use AND one_per_friend"
"""A redemption that counts in its code's uses keeps its friend from another one."""


class Referrer(Base):
    """A customer who owns a code, and the slug of their share link. The row's key is the customer's."""

    __tablename__ = "referrers"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        UniqueConstraint("brand_id", "slug"),
    )

    brand_id: Mapped[BrandKey]
    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    shop_id: Mapped[UUID]
    """The shop their answer was about: where a friend is led."""
    survey_id: Mapped[UUID | None]
    """The survey whose answer made them one; none for an imported advocate."""
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class Code(Base):
    """A personal promo code with the terms it was issued under. A customer has one active code at a time."""

    __tablename__ = "codes"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["referrers.brand_id", "referrers.customer_id"]),
        UniqueConstraint("brand_id", "code"),
        Index("uq_codes_active", "brand_id", "customer_id", unique=True, postgresql_where=text("active")),
        CheckConstraint("uses BETWEEN 0 AND max_uses", name="uses_within_max"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    customer_id: Mapped[UUID]
    """The referrer."""
    code: Mapped[str]
    """As compared: case folded, without dashes and spaces."""
    display: Mapped[str]
    """As shown: `ANA-7K4QX`."""
    programme_version: Mapped[int] = mapped_column(Integer)
    discount_kind: Mapped[DiscountKind] = mapped_column(enum_text(DiscountKind))
    discount_value: Mapped[Decimal] = mapped_column(Numeric)
    """Percent, or an amount in major units of `currency`."""
    currency: Mapped[str]
    minimum_subtotal: Mapped[Decimal | None] = mapped_column(Numeric)
    max_uses: Mapped[int] = mapped_column(Integer)
    uses: Mapped[int] = mapped_column(Integer, default=0)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    """Whether it is the customer's present code; a disabled or superseded one is not."""
    starts_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    live_at: Mapped[Moment | None]
    """When the shop knew it; at once where the shop asks us."""
    disabled_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class Visit(Base):
    """A friend's opening of a share link; holds nothing that tells who."""

    __tablename__ = "visits"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["referrers.brand_id", "referrers.customer_id"]),
        Index("ix_visits_customer", "brand_id", "customer_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    customer_id: Mapped[UUID]
    """The referrer."""
    at: Mapped[Moment]
    created_at: Mapped[Created]


class Redemption(Base):
    """A friend's order that carried a code of ours; an order has at most one."""

    __tablename__ = "redemptions"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "order_id"], ["orders.brand_id", "orders.id"]),
        ForeignKeyConstraint(["brand_id", "code_id"], ["codes.brand_id", "codes.id"]),
        UniqueConstraint("brand_id", "order_id"),
        Index(
            "uq_redemptions_friend_email",
            "brand_id",
            "friend_email_key",
            unique=True,
            postgresql_where=text(_HOLDS_USE),
        ),
        Index(
            "uq_redemptions_friend_phone",
            "brand_id",
            "friend_phone",
            unique=True,
            postgresql_where=text(_HOLDS_USE),
        ),
        CheckConstraint("(status = 'refused') <= (reason IS NOT NULL)", name="refusal_has_reason"),
        Index("ix_redemptions_hold", "brand_id", "hold_until", postgresql_where=text("status = 'pending'")),
        Index("ix_redemptions_referrer", "brand_id", "referrer_id"),
        Index("ix_redemptions_code", "brand_id", "code_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    order_id: Mapped[UUID]
    code_id: Mapped[UUID]
    referrer_id: Mapped[UUID]
    friend_id: Mapped[UUID | None]
    """The friend's customer row."""
    friend_email_key: Mapped[str | None]
    friend_phone: Mapped[str | None]
    one_per_friend: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[RedemptionStatus] = mapped_column(enum_text(RedemptionStatus))
    reason: Mapped[str | None]
    """A `RefusalReason`, or a person's words at a rejection, or what reversed it."""
    amount_off: Mapped[Minor]
    currency: Mapped[str]
    programme_version: Mapped[int] = mapped_column(Integer)
    holds_use: Mapped[bool] = mapped_column(Boolean)
    """Whether it counts in the code's `uses`: from winning until a cancellation or full rollback gives the use back."""
    hold_until: Mapped[Moment | None]
    """When it may be approved; none while it waits for a delivery."""
    approved_at: Mapped[Moment | None]
    reversed_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class Reward(Base):
    """What a referrer is given for an approved redemption."""

    __tablename__ = "rewards"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "redemption_id"], ["redemptions.brand_id", "redemptions.id"]),
        UniqueConstraint("brand_id", "redemption_id"),
        CheckConstraint("net_amount BETWEEN 0 AND amount", name="net_within_amount"),
        Index("ix_rewards_referrer", "brand_id", "referrer_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    redemption_id: Mapped[UUID]
    referrer_id: Mapped[UUID]
    kind: Mapped[RewardKind] = mapped_column(enum_text(RewardKind))
    amount: Mapped[Minor]
    """As granted."""
    net_amount: Mapped[Minor]
    """What is left after clawbacks."""
    currency: Mapped[str]
    code: Mapped[str | None]
    """The referrer's own code, for a reward of kind `code`."""
    status: Mapped[RewardStatus] = mapped_column(enum_text(RewardStatus))
    granted_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class LedgerEntry(Base):
    """One line of the double-entry ledger: append-only, each transaction adds up to zero.

    `transaction_key` says what was booked (`grant:…`, `clawback:…:total`), so nothing can be booked twice.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "redemption_id"], ["redemptions.brand_id", "redemptions.id"]),
        UniqueConstraint("brand_id", "transaction_key", "account"),
        Index("ix_ledger_entries_redemption", "brand_id", "redemption_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    transaction_id: Mapped[UUID]
    transaction_key: Mapped[str]
    account: Mapped[LedgerAccount] = mapped_column(enum_text(LedgerAccount))
    amount: Mapped[Minor]
    """Signed: what an account gains."""
    currency: Mapped[str]
    redemption_id: Mapped[UUID]
    referrer_id: Mapped[UUID]
    at: Mapped[Moment]
    created_at: Mapped[Created]
