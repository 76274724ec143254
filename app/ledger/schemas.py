"""What the API shows of the ledger."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from pydantic import Field
from sqlalchemy import Row

from app.base import money
from app.base.ids import public_id, public_id_or_none
from app.base.schemas import ApiModel, RowModel
from app.ledger.liability_rules import AccountSum, Liability
from app.ledger.models import LedgerEntry
from app.ledger.rules import CauseKind, LedgerAccount

CAUSE_PREFIXES: Mapping[str, str] = {
    CauseKind.redemption: "red",
    CauseKind.reward: "rwd",
    CauseKind.credit: "crd",
    CauseKind.shop_credit: "scr",
    CauseKind.payable: "pay",
    CauseKind.adjustment: "rwd",
    CauseKind.withdrawal: "rwd",
}


class LiabilityShape(ApiModel):
    """The outcome of rewards in one currency."""

    currency: str
    granted: str
    reversed: str = Field(description="What was taken back of it.")
    used: str
    expired: str = Field(description="What can no longer be spent.")
    outstanding: str = Field(description="What may still be spent.")
    balances: bool

    @classmethod
    def of(cls, it: Liability) -> Self:
        """The shape of a liability."""
        parts = ("granted", "reversed", "used", "expired", "outstanding")
        return cls(
            currency=it.currency,
            balances=it.balances,
            **{name: money.to_text(getattr(it, name), it.currency) for name in parts},
        )


class LiabilityReport(ApiModel):
    """The outcome of the brand's rewards, by currency."""

    data: list[LiabilityShape]


class AccountShape(ApiModel):
    """What the entries of one account and currency add up to."""

    account: LedgerAccount | str
    currency: str
    added: str
    taken: str
    balance: str
    entries: int

    @classmethod
    def of(cls, it: AccountSum) -> Self:
        """The shape of a sum."""
        parts = ("added", "taken", "balance")
        return cls(
            account=it.account,
            currency=it.currency,
            entries=it.entries,
            **{name: money.to_text(getattr(it, name), it.currency) for name in parts},
        )


class CauseShape(ApiModel):
    """What an entry was posted for."""

    kind: CauseKind | str
    id: str


class LedgerEntryRow(RowModel):
    """One line of the ledger; those of a transaction add up to zero."""

    created_at: datetime
    transaction: str
    transaction_key: str
    account: LedgerAccount | str
    amount: str
    currency: str
    cause: CauseShape
    referrer: str | None
    occurred_at: datetime
    posted_on: date

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # nothing in it is personal
        """From a row of `LedgerEntry`."""
        entry: LedgerEntry = row.LedgerEntry
        return cls(
            id=public_id("led", entry.id),
            created_at=entry.created_at,
            transaction=public_id("txn", entry.transaction_id),
            transaction_key=entry.transaction_key,
            account=entry.account,
            amount=money.to_text(entry.amount, entry.currency),
            currency=entry.currency,
            cause=CauseShape(
                kind=entry.cause_kind,
                id=public_id(CAUSE_PREFIXES.get(entry.cause_kind, "row"), entry.cause_id),
            ),
            referrer=public_id_or_none("ref", entry.referrer_id),
            occurred_at=entry.occurred_at,
            posted_on=entry.posted_on,
        )


class UnbalancedTransaction(ApiModel):
    """A transaction that does not add up to zero, and what it adds up to."""

    transaction: str
    amount: str
    currency: str


class LedgerTotals(ApiModel):
    """What the accounts add up to; together they are zero in each currency."""

    accounts: list[AccountShape]
    balances: bool
    unbalanced: list[UnbalancedTransaction] = Field(description="At most 20.")


class LedgerTransactionDetail(ApiModel):
    """A transaction with all its entries."""

    transaction: str
    balances: bool
    entries: list[LedgerEntryRow]
