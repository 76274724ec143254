"""The tables of credit that connected shops hold: whose, what was moved there, what was spent."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.referrals.shop_credit.rules import MoveKind, MoveState

HOLDING_SWEEP = "shop-credit"
"""The name of the sweep that calls the platforms."""


class ShopCredit(Base):
    """The credit of one referrer in one currency that a connected shop holds.

    A balance with such a row is spent in the shop alone. What the shop must have follows from the
    rewards (`rules`); the row and its moves say what it has.
    """

    __tablename__ = "shop_credits"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "referrer_id"], ["referrers.brand_id", "referrers.id"]),
        ForeignKeyConstraint(["brand_id", "shop_id"], ["shops.brand_id", "shops.id"]),
        UniqueConstraint("brand_id", "referrer_id", "currency"),
        UniqueConstraint("brand_id", "code"),
        Index("ix_shop_credits_due", "brand_id", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_shop_credits_shop", "brand_id", "shop_id"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    referrer_id: Mapped[UUID]
    currency: Mapped[str]
    shop_id: Mapped[UUID]
    code: Mapped[str | None]
    """Of the coupon, as entered; None where the shop keeps an account."""
    held: Mapped[Minor] = mapped_column(default=0)
    """What the shop has of it that can be spent, as far as we know."""
    spent: Mapped[Minor] = mapped_column(default=0)
    """What was spent in the shop and is booked; `spent_elsewhere` of it in an account of before."""
    spent_elsewhere: Mapped[Minor] = mapped_column(default=0)
    remote_id: Mapped[str | None]
    """The platform's own id of the account or the coupon."""
    revision: Mapped[int] = mapped_column(Integer, default=0)
    """Raised by each change of a reward: an outcome of before leaves the row due."""
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    """How often the row was taken up in a row without success. An outcome counts for its own
    attempt alone."""
    due_at: Mapped[Moment | None]
    """When the platform is called next."""
    leased_until: Mapped[Moment | None]
    """Until when nothing else may take it up: an attempt runs, or may have moved something."""
    read_at: Mapped[Moment | None]
    """When the shop last told what is left; None for a coupon, whose use its orders tell."""
    announced_until: Mapped[Moment | None]
    """Rewards that were granted later are still to be announced; None: all of them."""
    reason: Mapped[str | None]
    """Why the last call failed, in a sentence for people."""
    created_at: Mapped[Created]


class ShopCreditMove(Base):
    """A credit or debit of a customer's account, written down before the platform is called.

    A credit's `expires_at` is its key: no other one of the account ends in that second. A debit is
    recognised as the one of its amount after the entry `after_id`, so one is made at a time.
    """

    __tablename__ = "shop_credit_moves"
    __table_args__ = (
        ForeignKeyConstraint(
            ["brand_id", "shop_credit_id"],
            ["shop_credits.brand_id", "shop_credits.id"],
            name="fk_shop_credit_moves_credit",
        ),
        ForeignKeyConstraint(["brand_id", "reward_id"], ["rewards.brand_id", "rewards.id"]),
        UniqueConstraint("brand_id", "shop_credit_id", "expires_at", name="uq_shop_credit_moves_key"),
        CheckConstraint("amount > 0", name="amount_is_positive"),
        Index(
            "uq_shop_credit_moves_open",
            "brand_id",
            "shop_credit_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    shop_credit_id: Mapped[UUID]
    reward_id: Mapped[UUID | None]
    """The reward that it is about; None where none is left that it could be."""
    kind: Mapped[MoveKind] = mapped_column(enum_text(MoveKind))
    state: Mapped[MoveState] = mapped_column(enum_text(MoveState))
    amount: Mapped[Minor]
    foreign_amount: Mapped[Minor] = mapped_column(default=0)
    """How much of a debit was taken from what is not ours."""
    left: Mapped[Minor | None]
    """What is left of a credit, as last read."""
    expires_at: Mapped[Moment | None]
    after_id: Mapped[str | None]
    """The account's newest entry before the move."""
    balance_before: Mapped[Minor | None]
    """The whole account's, before a debit; `held_before` is our part of it."""
    held_before: Mapped[Minor | None]
    remote_id: Mapped[str | None]
    """The platform's id of the entry that it made."""
    tried_at: Mapped[Moment]
    created_at: Mapped[Created]


class ShopCreditUse(Base):
    """What an order took off by a coupon of credit; 0 once it was given back."""

    __tablename__ = "shop_credit_uses"
    __table_args__ = (
        ForeignKeyConstraint(["brand_id", "order_id"], ["orders.brand_id", "orders.id"]),
        ForeignKeyConstraint(
            ["brand_id", "shop_credit_id"],
            ["shop_credits.brand_id", "shop_credits.id"],
            name="fk_shop_credit_uses_credit",
        ),
        CheckConstraint("amount >= 0", name="amount_is_not_negative"),
        Index("ix_shop_credit_uses_credit", "brand_id", "shop_credit_id"),
    )

    brand_id: Mapped[BrandKey]
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    shop_credit_id: Mapped[UUID]
    amount: Mapped[Minor]
    created_at: Mapped[Created]
