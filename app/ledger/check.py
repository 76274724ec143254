"""Whether the ledger balances, and what in it does not."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.ledger.liability_rules import AccountSum
from app.ledger.models import LedgerDay, LedgerEntry

MOST = 20
"""Transactions that are named at most."""


@dataclass(frozen=True, slots=True)
class Unbalanced:
    """A transaction whose entries in one currency do not add up to zero; in minor units."""

    transaction_id: UUID
    currency: str
    amount: int


def unbalanced_currencies(sums: Iterable[AccountSum]) -> dict[str, int]:
    """The currencies in which all accounts together are not zero, with what they are."""
    total = Counter[str]()
    for each in sums:
        total[each.currency] += each.balance
    return {currency: amount for currency, amount in total.items() if amount}


async def find_unbalanced(session: AsyncSession, brand_id: int) -> list[Unbalanced]:
    """Transactions that do not add up, at most `MOST`: of days that do not, and of the last ones.

    To be called where `unbalanced_currencies` found something: it reads those days' entries.
    """
    days = (
        select(LedgerDay.day)
        .where(LedgerDay.brand_id == brand_id)
        .group_by(LedgerDay.day, LedgerDay.currency)
        .having(func.sum(LedgerDay.added - LedgerDay.taken) != 0)
    )
    wrong: Sequence[date] = (await session.scalars(days.order_by(LedgerDay.day).limit(MOST))).all()
    last = select(func.max(LedgerDay.day)).where(LedgerDay.brand_id == brand_id).scalar_subquery()
    amount = func.sum(LedgerEntry.amount)
    rows = await session.execute(
        select(LedgerEntry.transaction_id, LedgerEntry.currency, amount)
        .where(
            LedgerEntry.brand_id == brand_id,
            LedgerEntry.posted_on.in_(wrong) | (LedgerEntry.posted_on > func.coalesce(last, date.min)),
        )
        .group_by(LedgerEntry.transaction_id, LedgerEntry.currency)
        .having(amount != 0)
        .order_by(LedgerEntry.transaction_id)
        .limit(MOST)
    )
    return [Unbalanced(row[0], row[1], int(row[2])) for row in rows]
