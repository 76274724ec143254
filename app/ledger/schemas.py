"""What the API shows of the ledger."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from sqlalchemy import Row

from app.base import money
from app.base.ids import public_id, public_id_or_none
from app.base.schemas import ApiModel, RowModel
from app.ledger.models import LedgerEntry
from app.ledger.rules import CauseKind, LedgerAccount

_PREFIXES: Mapping[str, str] = {
    CauseKind.redemption: "red",
    CauseKind.reward: "rwd",
    CauseKind.credit: "crd",
    CauseKind.shop_credit: "scr",
    CauseKind.payable: "pay",
    CauseKind.adjustment: "adj",
}


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
                kind=entry.cause_kind, id=public_id(_PREFIXES.get(entry.cause_kind, "row"), entry.cause_id)
            ),
            referrer=public_id_or_none("ref", entry.referrer_id),
            occurred_at=entry.occurred_at,
            posted_on=entry.posted_on,
        )
