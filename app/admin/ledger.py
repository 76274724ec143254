"""The ledger for staff and keys: entries that are wanted, a transaction, what is owed to whom."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.reads import record_reading
from app.admin.rows import LEDGER
from app.base import money
from app.base.actor import Actor
from app.base.batch import in_ids
from app.base.errors import AppError, NotFound
from app.base.ids import id_at, parse_public_id, public_id
from app.base.records import read_rows
from app.base.schemas import ApiModel
from app.brands.models import Brand
from app.customers.models import Customer
from app.customers.schemas import CustomerRow
from app.ledger.check import find_unbalanced, unbalanced_currencies
from app.ledger.models import LedgerEntry
from app.ledger.rules import CauseKind, LedgerAccount
from app.ledger.schemas import (
    CAUSE_PREFIXES,
    AccountShape,
    LedgerTotals,
    LedgerTransactionDetail,
    LiabilityReport,
    LiabilityShape,
    UnbalancedTransaction,
)
from app.ledger.sums import (
    first_day_of,
    liabilities,
    list_owed,
    of_accounts,
    referrers_liabilities,
    sum_accounts,
)
from app.referrals.find_referrers import find_referrers
from app.referrals.models import Referrer

_DAY = timedelta(days=1)
"""An entry's id may be that much before or after the day of its posting."""
_FIRST, _LAST = date(1971, 1, 1), date(2200, 1, 1)


class ReferrerBalance(ApiModel):
    """The outcome of one referrer's rewards, by currency; `customer` is null for who is none."""

    referrer: str
    customer: CustomerRow | None
    by_currency: list[LiabilityShape]


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which entries are wanted; None asks for all.

    `cause` and `referrer` are public ids. `start` (included) and `end` (excluded) are days on
    which entries were posted.
    """

    account: LedgerAccount | None = None
    currency: str | None = None
    kind: CauseKind | None = None
    cause: str | None = None
    referrer: str | None = None
    start: date | None = None
    end: date | None = None


def refuse_limited(caller: Actor) -> None:
    """Raise AppError (403 `whole_brand`) for somebody who sees some shops: the ledger is of all."""
    if caller.shops is not None:
        raise AppError(
            "whole_brand", "Rewards are owed by the whole brand; you see some of its shops only.", status=403
        )


async def listed_conditions(
    session: AsyncSession, brand_id: int, wanted: LedgerFilter
) -> list[ColumnElement[bool]]:
    """As `ledger_conditions`, for a page: entries in a currency are sought from its first day."""
    found = ledger_conditions(wanted)
    if wanted.currency and (first := await first_day_of(session, brand_id, wanted.currency)):
        found.append(LedgerEntry.id >= id_at(_midnight(first) - 2 * _DAY))
    return found


def ledger_conditions(wanted: LedgerFilter) -> list[ColumnElement[bool]]:
    """The conditions of a list of entries; raises NotFound for an id of another kind."""
    found: list[ColumnElement[bool]] = [true()]
    if wanted.account:
        found.append(of_accounts([wanted.account]))
    if wanted.currency:
        found.append(LedgerEntry.currency == wanted.currency)
    if wanted.kind:
        found.append(LedgerEntry.cause_kind == wanted.kind)
    if wanted.cause:
        found += _of_cause(wanted.cause)
    if wanted.referrer:
        found.append(LedgerEntry.referrer_id == parse_public_id("ref", wanted.referrer))
        if wanted.account is None:
            # What friends' orders alone are about has no index by referrer.
            found.append(of_accounts(OF_REFERRERS))
    if wanted.start:
        found += [
            LedgerEntry.posted_on >= wanted.start,
            LedgerEntry.id >= id_at(_midnight(wanted.start) - _DAY),
        ]
    if wanted.end:
        found += [LedgerEntry.posted_on < wanted.end, LedgerEntry.id < id_at(_midnight(wanted.end) + _DAY)]
    return found


OF_REFERRERS = tuple(
    each for each in LedgerAccount if each not in (LedgerAccount.discount_cost, LedgerAccount.friends)
)
"""Accounts that are listed by referrer."""


def _of_cause(shown: str) -> list[ColumnElement[bool]]:
    """Entries that this row caused: its id says of which kind it is."""
    prefix = shown.partition("_")[0]
    kinds = [kind for kind, known in CAUSE_PREFIXES.items() if known == prefix]
    if not kinds:
        raise NotFound
    return [LedgerEntry.cause_kind.in_(kinds), LedgerEntry.cause_id == parse_public_id(prefix, shown)]


def _midnight(day: date) -> datetime:
    """The day's first moment, far enough from either end of the calendar."""
    known = min(max(day, _FIRST), _LAST)
    return datetime(known.year, known.month, known.day, tzinfo=UTC)


async def transaction_of(session: AsyncSession, caller: Actor, entry_id: UUID) -> LedgerTransactionDetail:
    """The transaction that an entry belongs to; raises NotFound for an entry that is none."""
    key = await session.scalar(
        select(LedgerEntry.transaction_key).where(
            LedgerEntry.brand_id == caller.brand_id, LedgerEntry.id == entry_id
        )
    )
    if key is None:
        raise NotFound
    query = LEDGER.visible(caller).where(LedgerEntry.transaction_key == key).order_by(LedgerEntry.id)
    rows = await read_rows(session, query)
    if not rows:
        raise NotFound
    return LedgerTransactionDetail(
        transaction=public_id("txn", rows[0].LedgerEntry.transaction_id),
        balances=sum(row.LedgerEntry.amount for row in rows) == 0,
        entries=[LEDGER.shape(row, pii=caller.sees_people) for row in rows],
    )


async def ledger_totals(session: AsyncSession, brand: Brand, *, now: datetime) -> LedgerTotals:
    """What every account adds up to, and the transactions that do not add up to zero."""
    sums = await sum_accounts(session, brand, now=now)
    wrong = unbalanced_currencies(sums)
    found = await find_unbalanced(session, brand.id) if wrong else []
    return LedgerTotals(
        accounts=[AccountShape.of(each) for each in sums],
        balances=not wrong,
        unbalanced=[
            UnbalancedTransaction(
                transaction=public_id("txn", each.transaction_id),
                amount=money.to_text(each.amount, each.currency),
                currency=each.currency,
            )
            for each in found
        ],
    )


async def liability_report(session: AsyncSession, brand: Brand, *, now: datetime) -> LiabilityReport:
    """The outcome of the brand's rewards, by currency."""
    return LiabilityReport(
        data=[LiabilityShape.of(each) for each in await liabilities(session, brand, now=now)]
    )


async def find_balances(
    session: AsyncSession, caller: Actor, text: str | None, *, after: UUID | None, limit: int
) -> tuple[list[ReferrerBalance], UUID | None]:
    """Referrers with the outcome of their rewards, the newest referrer first, and where to go on.

    With a `text` those alone whom `find_referrers` finds, also without any reward; else those
    after the referrer `after`. It is in the audit log where staff see people's data.
    """
    if text:
        ids = await find_referrers(session, caller.brand_id, text, pii=caller.sees_people)
    else:
        ids = await list_owed(session, caller.brand_id, after=after, limit=limit + 1)
    shown = ids[:limit]
    owed = await referrers_liabilities(session, caller.brand_id, shown)
    people = await _people(session, caller, shown)
    if shown:
        await record_reading(session, caller, "balances", len(shown))
    found = [
        ReferrerBalance(
            referrer=public_id("ref", each),
            customer=people.get(each),
            by_currency=[LiabilityShape.of(it) for it in owed.get(each, ())],
        )
        for each in shown
    ]
    return found, shown[-1] if len(ids) > limit and not text else None


async def find_balance(session: AsyncSession, caller: Actor, shown_id: str) -> ReferrerBalance:
    """The outcome of one referrer's rewards; raises NotFound for an unknown id."""
    referrer_id = parse_public_id("ref", shown_id)
    found, _ = await find_balances(session, caller, public_id("ref", referrer_id), after=None, limit=1)
    if not found:
        raise NotFound
    return found[0]


async def _people(
    session: AsyncSession, caller: Actor, referrer_ids: Collection[UUID]
) -> dict[UUID, CustomerRow]:
    """The customers who are these referrers, as the caller may see them."""
    query = (
        select(Referrer.id.label("referrer_id"), Customer)
        .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .where(Referrer.brand_id == caller.brand_id, in_ids(Referrer.id, list(referrer_ids)))
    )
    rows = await read_rows(session, query)
    return {row.referrer_id: _shown(row, caller) for row in rows}


def _shown(row: Row[Any], caller: Actor) -> CustomerRow:
    return CustomerRow.from_row(row, pii=caller.sees_people)
