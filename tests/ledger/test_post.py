"""Transactions are posted once, balance, and are never changed."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand
from app.ledger.models import LedgerEntry
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from tests.support.constants import NOW

LATE = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
"""Half past midnight of the next day in Berlin."""


def adjustment(key: str, amount: int, cause_id: UUID | None = None) -> LedgerTransaction:
    return LedgerTransaction(
        key=key,
        account=LedgerAccount.reward_cost,
        other=LedgerAccount.referrers,
        amount=amount,
        currency="EUR",
        cause_kind=CauseKind.adjustment,
        cause_id=cause_id or new_id(),
        occurred_at=NOW,
    )


async def entries(context: AppContext) -> list[LedgerEntry]:
    async with context.sessions() as session:
        return list(await session.scalars(select(LedgerEntry).order_by(LedgerEntry.amount)))


async def test_transaction_is_two_lines_that_name_their_cause(context: AppContext, brand: Brand) -> None:
    cause_id = new_id()
    async with context.sessions.begin() as session:
        brand.time_zone = "Europe/Berlin"
        await post_entries(session, brand, [adjustment("a", 500, cause_id)], now=LATE)
    less, more = await entries(context)
    assert (less.account, less.amount) == (LedgerAccount.referrers, -500)
    assert (more.account, more.amount) == (LedgerAccount.reward_cost, 500)
    assert less.transaction_id == more.transaction_id
    for each in (less, more):
        assert (each.cause_kind, each.cause_id, each.referrer_id) == (CauseKind.adjustment, cause_id, None)
        assert (each.occurred_at, each.posted_on) == (NOW, date(2026, 3, 11))


async def test_a_key_is_posted_once_and_amounts_of_nothing_never(context: AppContext, brand: Brand) -> None:
    for amount in (500, 700, 0):
        async with context.sessions.begin() as session:
            await post_entries(session, brand, [adjustment("a", amount), adjustment("zero", 0)], now=NOW)
    assert [each.amount for each in await entries(context)] == [-500, 500]


async def test_entries_are_never_changed(context: AppContext, brand: Brand) -> None:
    async with context.sessions.begin() as session:
        await post_entries(session, brand, [adjustment("a", 500)], now=NOW)
    for statement in (update(LedgerEntry).values(amount=0), delete(LedgerEntry)):
        with pytest.raises(DBAPIError, match="append-only"):
            async with context.sessions.begin() as session:
                await session.execute(statement)
    assert [each.amount for each in await entries(context)] == [-500, 500]
