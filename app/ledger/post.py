"""Post transactions to the ledger: two lines each that add up to zero, nothing twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import recordset
from app.base.ids import new_id
from app.base.touched import touch
from app.brands.models import Brand
from app.brands.rules import zone_or
from app.ledger.models import LedgerEntry
from app.ledger.rules import CauseKind, LedgerAccount

_ENTRY = [
    LedgerEntry.id,
    LedgerEntry.transaction_id,
    LedgerEntry.transaction_key,
    LedgerEntry.account,
    LedgerEntry.amount,
    LedgerEntry.currency,
    LedgerEntry.cause_kind,
    LedgerEntry.cause_id,
    LedgerEntry.referrer_id,
    LedgerEntry.occurred_at,
    LedgerEntry.posted_on,
]


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """Adds `amount` minor units to `account` and subtracts them from `other`.

    Costs are positive on the cost accounts and negative on `friends` and `referrers`; a
    compensating transaction has a negative amount.
    """

    key: str
    """Names what is posted, so that it is posted once: `grant:<redemption>`."""
    account: LedgerAccount
    other: LedgerAccount
    amount: int
    currency: str
    cause_kind: CauseKind
    cause_id: UUID
    occurred_at: datetime
    referrer_id: UUID | None = None


async def post_entries(
    session: AsyncSession, brand: Brand, transactions: Sequence[LedgerTransaction], *, now: datetime
) -> None:
    """Write the transactions whose keys are not in the ledger yet; an amount of 0 is left out."""
    posted_on = now.astimezone(zone_or(brand.time_zone, "UTC")).date()
    rows = [
        line for transaction in transactions if transaction.amount for line in _lines(transaction, posted_on)
    ]
    if not rows:
        return
    given = recordset(rows, _ENTRY)
    # Sorted, so that two batches with the same transactions wait for each other and never deadlock.
    lines = select(literal(brand.id), *given.c).order_by(given.c.transaction_key, given.c.account)
    await session.execute(
        insert(LedgerEntry)
        .from_select(["brand_id", *given.c.keys()], lines, include_defaults=False)
        .on_conflict_do_nothing()
    )
    # A redemption's entries are noted with its order.
    by_itself = {
        each.cause_id
        for each in transactions
        if each.account is LedgerAccount.reward_cost and each.cause_kind is CauseKind.reward
    }
    await touch(session, brand.id, "rewards", by_itself)


def _lines(transaction: LedgerTransaction, posted_on: date) -> Iterable[dict[str, object]]:
    transaction_id = new_id()
    sides = ((transaction.account, transaction.amount), (transaction.other, -transaction.amount))
    for account, amount in sides:
        yield {
            "id": new_id(),
            "transaction_id": transaction_id,
            "transaction_key": transaction.key,
            "account": account,
            "amount": amount,
            "currency": transaction.currency,
            "cause_kind": transaction.cause_kind,
            "cause_id": transaction.cause_id,
            "referrer_id": transaction.referrer_id,
            "occurred_at": transaction.occurred_at,
            "posted_on": posted_on,
        }
