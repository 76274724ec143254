"""The table of rewards."""

from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.brands.programme import RewardKind
from app.referrals.rules import KindReason, RefusalReason, RewardStatus


class Reward(Base):
    """What a referrer gets for a redemption: created with it, usable once it is granted."""

    __tablename__ = "rewards"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "redemption_id"], ["redemptions.brand_id", "redemptions.id"]),
        ForeignKeyConstraint(["brand_id", "referrer_id"], ["referrers.brand_id", "referrers.id"]),
        UniqueConstraint("brand_id", "redemption_id"),
        ForeignKeyConstraint(["brand_id", "code_id"], ["codes.brand_id", "codes.id"]),
        ForeignKeyConstraint(["brand_id", "used_order_id"], ["orders.brand_id", "orders.id"]),
        UniqueConstraint("brand_id", "code_id"),
        CheckConstraint("net_amount BETWEEN 0 AND amount", name="net_within_amount"),
        CheckConstraint("used_amount >= 0", name="used_is_not_negative"),
        Index("ix_rewards_expiry", "brand_id", "expires_at", postgresql_where=text("status = 'granted'")),
        Index(
            "ix_rewards_used_order",
            "brand_id",
            "used_order_id",
            postgresql_where=text("used_order_id IS NOT NULL"),
        ),
        Index("ix_rewards_referrer", "brand_id", "referrer_id"),
        Index("ix_rewards_status", "brand_id", "status", "id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    redemption_id: Mapped[UUID | None]
    """None for a reward that no redemption earned, such as goodwill."""
    referrer_id: Mapped[UUID]
    kind: Mapped[RewardKind] = mapped_column(enum_text(RewardKind))
    kind_reason: Mapped[KindReason | None] = mapped_column(enum_text(KindReason))
    """Why it is not of the kind that its terms name."""
    amount: Mapped[Minor]
    """What is granted, or is to be granted after the holding period; at most the order's worth."""
    reason: Mapped[RefusalReason | None] = mapped_column(enum_text(RefusalReason))
    """Why it is a reward of nothing: the referrer's cap was reached, or the budget spent."""
    net_amount: Mapped[Minor]
    """What refunds leave of `amount`; 0 once it is reversed or cancelled."""
    used_amount: Mapped[Minor] = mapped_column(default=0)
    """What was spent; more than `net_amount` where a refund came after."""
    lapsed_amount: Mapped[Minor] = mapped_column(default=0)
    """What can no longer be spent; see `reward_rules.lapsed_amount`."""
    currency: Mapped[str]
    code_id: Mapped[UUID | None]
    """The referrer's own code, for a granted reward of kind `code`."""
    status: Mapped[RewardStatus] = mapped_column(enum_text(RewardStatus))
    """Follows from the columns and the redemption's status; see `reward_rules.reward_status`."""
    frozen: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether it cannot be spent, while the payment of the order behind it is disputed."""
    granted_at: Mapped[Moment | None]
    expires_at: Mapped[Moment | None]
    """When a granted one can no longer be spent."""
    expired_at: Mapped[Moment | None]
    """When it was found to have expired."""
    used_at: Mapped[Moment | None]
    """When its code was used."""
    used_order_id: Mapped[UUID | None]
    """The order that its code was used with."""
    created_at: Mapped[Created]
