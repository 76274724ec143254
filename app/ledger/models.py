"""The tables of ledger entries and their days, of balances of credit and of reservations."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.ledger.rules import CauseKind, LedgerAccount, ReservationStatus

_NO_DISCOUNT = "account IN ('leaked_discount', 'reward_cost', 'referrers', 'spent_rewards', 'lapsed_rewards')"


class LedgerEntry(Base):
    """One line of a transaction. Lines are added, never changed; a transaction adds up to zero.

    `transaction_key` names what was posted (`grant:…`, `reward:…`), so that nothing is posted
    twice.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        # By the table's name alone: referrers belong to a package above this one.
        ForeignKeyConstraint(["brand_id", "referrer_id"], ["referrers.brand_id", "referrers.id"]),
        UniqueConstraint("brand_id", "transaction_key", "account"),
        Index("ix_ledger_entries_cause", "brand_id", "cause_id"),
        # Friends' discounts are posted with each order and are most of the entries, so the indexes
        # for reading do not have them.
        Index(
            "ix_ledger_entries_account",
            "brand_id",
            "account",
            "id",
            postgresql_include=["currency", "amount", "posted_on"],
            postgresql_where=text(_NO_DISCOUNT),
        ),
        Index(
            "ix_ledger_entries_referrer",
            "brand_id",
            "referrer_id",
            "id",
            postgresql_include=["account", "currency", "amount"],
            postgresql_where=text(_NO_DISCOUNT),
        ),
        Index(
            "ix_ledger_entries_kind_account",
            "brand_id",
            "cause_kind",
            "id",
            "account",
            postgresql_where=text("cause_kind <> 'redemption'"),
        ),
        # For the figures of a period; account and referrer are decided in the index.
        Index(
            "ix_ledger_entries_costs_of",
            "brand_id",
            "occurred_at",
            "account",
            "referrer_id",
            postgresql_where=text("account IN ('discount_cost', 'leaked_discount', 'reward_cost')"),
        ),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    transaction_id: Mapped[UUID]
    transaction_key: Mapped[str]
    account: Mapped[LedgerAccount] = mapped_column(enum_text(LedgerAccount))
    amount: Mapped[Minor]
    """Signed: what is added to the account's balance."""
    currency: Mapped[str]
    cause_kind: Mapped[CauseKind] = mapped_column(enum_text(CauseKind))
    cause_id: Mapped[UUID]
    referrer_id: Mapped[UUID | None]
    """The referrer whose recommendation it is about, if any."""
    occurred_at: Mapped[Moment]
    """When the thing happened that the entry is about: an order was placed, a reward granted."""
    posted_on: Mapped[date]
    """The day of posting in the brand's time zone; later than `occurred_at` for late facts."""
    created_at: Mapped[Created]


class LedgerDay(Base):
    """What the entries of one account, currency and day add up to, once the day is over."""

    __tablename__ = "ledger_days"
    __table_args__ = (ForeignKeyConstraint(["brand_id"], ["brands.id"]),)

    brand_id: Mapped[BrandKey]
    day: Mapped[date] = mapped_column(primary_key=True)
    """As the entries' `posted_on`."""
    account: Mapped[LedgerAccount] = mapped_column(enum_text(LedgerAccount), primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    added: Mapped[Minor]
    """The sum of the positive amounts."""
    taken: Mapped[Minor]
    """The sum of the negative amounts, as a positive number."""
    entries: Mapped[int]


_OF_REFERRER = (["brand_id", "referrer_id"], ["referrers.brand_id", "referrers.id"])


class CreditAccount(Base):
    """What a referrer may spend in one currency: the sum of the ledger's entries about credit.

    The row is the lock of everything that spends it.
    """

    __tablename__ = "credit_accounts"
    __table_args__ = (
        ForeignKeyConstraint(*_OF_REFERRER),
        CheckConstraint("reserved >= 0", name="reserved_is_not_negative"),
    )

    brand_id: Mapped[BrandKey]
    referrer_id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[Minor]
    """Negative where more was spent than a refund left later; the next rewards make up for it."""
    reserved: Mapped[Minor] = mapped_column(default=0)
    """The sum of the open reservations."""
    created_at: Mapped[Created]


class CreditReservation(Base):
    """A checkout's claim on credit for an order: captured, released, or released by time."""

    __tablename__ = "credit_reservations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["brand_id", "referrer_id", "currency"],
            ["credit_accounts.brand_id", "credit_accounts.referrer_id", "credit_accounts.currency"],
            name="fk_credit_reservations_account",
        ),
        CheckConstraint("captured BETWEEN 0 AND amount", name="captured_within_amount"),
        CheckConstraint("refunded BETWEEN 0 AND captured", name="refunded_within_captured"),
        Index(
            "ix_credit_reservations_open",
            "brand_id",
            "expires_at",
            postgresql_where=text("status = 'reserved'"),
        ),
        Index("ix_credit_reservations_account", "brand_id", "referrer_id", "currency"),
    )

    brand_id: Mapped[BrandKey]
    id: Mapped[RowKey]
    referrer_id: Mapped[UUID]
    currency: Mapped[str]
    order_id: Mapped[str]
    """The shop's own id of the order."""
    amount: Mapped[Minor]
    captured: Mapped[Minor] = mapped_column(default=0)
    refunded: Mapped[Minor] = mapped_column(default=0)
    """What was given back of `captured`."""
    status: Mapped[ReservationStatus] = mapped_column(enum_text(ReservationStatus))
    expires_at: Mapped[Moment]
    created_at: Mapped[Created]
