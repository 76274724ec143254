"""Tables of referrers, their codes, and friends' redemptions of these."""

from datetime import datetime
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.brands.programme import DiscountKind
from app.referrals.rules import (
    REASON_WORDS,
    CodeKind,
    RedemptionStatus,
)

SETTLING_SWEEP = "referrals"
"""The name of the sweep that approves redemptions after their hold."""
_HOLDS_USE = "holds_use AND one_per_friend"
"""While a redemption counts in its code's uses its friend cannot have another one."""
_IS_SHARED = "active AND kind = 'share'"
_REFERRER = (["brand_id", "referrer_id"], ["referrers.brand_id", "referrers.id"])
_TERMS = (["brand_id", "terms_id"], ["terms.brand_id", "terms.id"])


class Referrer(Base):
    """Somebody who owns a share link and codes: a customer, or with no customer somebody else."""

    __tablename__ = "referrers"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "customer_id"], ["customers.brand_id", "customers.id"]),
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        # By the table's name alone: surveys belong to a package above this one.
        ForeignKeyConstraint(["brand_id", "survey_id"], ["surveys.brand_id", "surveys.id"]),
        # A customer is one referrer at most; any number of referrers have no customer.
        UniqueConstraint("brand_id", "customer_id"),
        UniqueConstraint("brand_id", "slug"),
        Index("ix_referrers_survey", "brand_id", "survey_id"),
        Index("ix_referrers_shop", "brand_id", "shop_id", "id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    customer_id: Mapped[UUID | None]
    slug: Mapped[str]
    """Of the share link `/r/{slug}`; it names its brand."""
    shop_id: Mapped[UUID]
    """The shop to which the share link leads."""
    survey_id: Mapped[UUID | None]
    """The survey whose response made them a referrer, a trial's only until they answered another;
    None for an imported one."""
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[Created]


class Code(Base):
    """A promo code with the terms it was issued under.

    A referrer has one active `share` code at a time.
    """

    __tablename__ = "codes"
    __table_args__ = (
        ForeignKeyConstraint(*_REFERRER),
        ForeignKeyConstraint(*_TERMS),
        ForeignKeyConstraint(["brand_id", "parent_id"], ["codes.brand_id", "codes.id"]),
        UniqueConstraint("brand_id", "code"),
        Index(
            "uq_codes_active_share",
            "brand_id",
            "referrer_id",
            unique=True,
            postgresql_where=text(_IS_SHARED),
        ),
        Index("ix_codes_referrer", "brand_id", "referrer_id"),
        Index(
            "ix_codes_parent",
            "brand_id",
            "parent_id",
            "starts_at",
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        Index(
            "ix_codes_erased_key",
            "brand_id",
            "erased_key",
            postgresql_where=text("erased_key IS NOT NULL"),
        ),
        Index("ix_codes_rewards", "brand_id", "id", postgresql_where=text("kind = 'reward'")),
        Index("ix_codes_friends", "brand_id", "id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_codes_disabled", "brand_id", "id", postgresql_where=text("disabled_at IS NOT NULL")),
        Index("ix_codes_ended", "brand_id", "expires_at", "id", postgresql_where=text(_IS_SHARED)),
        CheckConstraint("uses BETWEEN 0 AND max_uses", name="uses_within_max"),
        CheckConstraint("(kind = 'friend') = (parent_id IS NOT NULL)", name="friend_has_parent"),
        CheckConstraint("redeemable OR kind = 'share'", name="only_share_is_not_redeemable"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    referrer_id: Mapped[UUID]
    kind: Mapped[CodeKind] = mapped_column(enum_text(CodeKind), default=CodeKind.share)
    parent_id: Mapped[UUID | None]
    """The share code from whose link a `friend` code was made."""
    code: Mapped[str]
    """As compared: case folded, without dashes and spaces."""
    display: Mapped[str]
    """As shown: `ANA-7K4QX`."""
    terms_id: Mapped[UUID] = mapped_column(Uuid)
    discount_kind: Mapped[DiscountKind] = mapped_column(enum_text(DiscountKind))
    discount_value: Mapped[Decimal] = mapped_column(Numeric)
    """Percent, or an amount in major units of `currency`."""
    currency: Mapped[str]
    minimum_subtotal: Mapped[Decimal | None] = mapped_column(Numeric)
    max_uses: Mapped[int] = mapped_column(Integer)
    uses: Mapped[int] = mapped_column(Integer, default=0)
    """A use of a `friend` code counts at its parent too, whose `max_uses` limits them all."""
    redeemable: Mapped[bool] = mapped_column(Boolean, default=True, server_default=text("true"))
    """Whether it counts where somebody enters it. A share code whose friends each get a code of
    their own does not, is told to nobody and is published nowhere."""
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    """Whether it is the present code of its kind; a disabled or superseded one is not."""
    starts_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    disabled_at: Mapped[Moment | None]
    erased_key: Mapped[bytes | None]
    """A keyed hash of the code that stood here until its referrer was erased."""
    created_at: Mapped[Created]
    updated_at: Mapped[Moment] = mapped_column(
        server_default=func.clock_timestamp(), onupdate=func.clock_timestamp()
    )
    """When it was issued, used, disabled or erased last, by the database's clock.

    No index has it, so that a use stays a change of this row alone. SQL sets it by itself."""


class StoredState(TypedDict):
    """What a redemption was until a time; `reason` is a word of ours, None for a person's own."""

    status: str
    reason: str | None
    until: str


class Redemption(Base):
    """A friend's order that carried a code of ours; an order has one at most."""

    __tablename__ = "redemptions"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "order_id"], ["orders.brand_id", "orders.id"]),
        ForeignKeyConstraint(["brand_id", "code_id"], ["codes.brand_id", "codes.id"]),
        ForeignKeyConstraint(["brand_id", "friend_id"], ["customers.brand_id", "customers.id"]),
        ForeignKeyConstraint(*_REFERRER),
        ForeignKeyConstraint(*_TERMS),
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
        Index("ix_redemptions_friend", "brand_id", "friend_id"),
        Index("ix_redemptions_code", "brand_id", "code_id"),
        Index("ix_redemptions_status", "brand_id", "status", "id"),
        # For the figures of a period.
        Index(
            "ix_redemptions_approved",
            "brand_id",
            "approved_at",
            postgresql_where=text("status = 'approved'"),
        ),
        Index("ix_redemptions_shop", "brand_id", "shop_id", "id"),
        Index(
            "ix_redemptions_reason",
            "brand_id",
            "reason",
            "id",
            postgresql_where=text("reason IS NOT NULL"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    order_id: Mapped[UUID]
    shop_id: Mapped[UUID | None]
    """The order's, repeated for lists by shop; None only for one that the version before wrote
    while it was replaced, until the order's facts are folded in."""
    code_id: Mapped[UUID]
    referrer_id: Mapped[UUID]
    friend_id: Mapped[UUID | None]
    """The friend's customer row."""
    friend_email_key: Mapped[str | None]
    friend_phone: Mapped[str | None]
    one_per_friend: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[RedemptionStatus] = mapped_column(enum_text(RedemptionStatus))
    reason: Mapped[str | None]
    """A `RefusalReason`, a person's words at a rejection, or what reversed it."""
    earlier: Mapped[list[StoredState] | None] = mapped_column(JSONB)
    """What it was before and for which reason, oldest first; None for nothing."""
    status_before: Mapped[RedemptionStatus | None] = mapped_column(enum_text(RedemptionStatus))
    """What a refund reversed, to be restored where the order turns out to be worth more."""
    amount_off: Mapped[Minor]
    currency: Mapped[str]
    terms_id: Mapped[UUID]
    holds_use: Mapped[bool] = mapped_column(Boolean)
    """Whether it counts in the code's `uses`: until a cancellation or full rollback gives the use
    back."""
    hold_until: Mapped[Moment | None]
    """The end of the holding period; None while it waits for a delivery."""
    approved_at: Mapped[Moment | None]
    reversed_at: Mapped[Moment | None]
    created_at: Mapped[Created]

    def become(self, status: RedemptionStatus, reason: str | None, *, now: datetime) -> None:
        """Set status and reason; what had a reason of its own is kept in `earlier`."""
        changes = reason != self.reason or (
            status is not self.status and self.status is RedemptionStatus.in_review
        )
        if self.reason is not None and changes:
            word = self.reason if self.reason in REASON_WORDS else None
            state = StoredState(status=str(self.status), reason=word, until=now.isoformat())
            self.earlier = [*(self.earlier or ()), state]
        self.status, self.reason = status, reason

    @property
    def review_reason(self) -> str | None:
        """Why it is in review, or was the last time; None where it never was."""
        if self.status is RedemptionStatus.in_review:
            return self.reason
        reviews = [state for state in self.earlier or () if state["status"] == RedemptionStatus.in_review]
        return reviews[-1]["reason"] if reviews else None
