"""The table of ledger entries."""

from datetime import date
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.base.db import Base, BrandKey, Created, Minor, Moment, RowKey, enum_text
from app.ledger.rules import CauseKind, LedgerAccount


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
