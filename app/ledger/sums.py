"""What the ledger's accounts add up to: days that are over once, and what was posted since."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.ids import id_at
from app.base.prepared import Prepared, one_value
from app.base.records import read_rows
from app.brands.models import Brand
from app.brands.rules import zone_or
from app.ledger.liability_rules import OF_REWARDS, AccountSum, Liability, liability_of
from app.ledger.models import LedgerDay, LedgerEntry
from app.ledger.rules import LedgerAccount

_OVER = timedelta(hours=26)
"""A day is added up this long after it: longer than any transaction, and than a new time zone of
the brand moves its days."""
_SLACK = timedelta(days=2)
"""An entry's id may be that much older than the day it is posted on."""
_ADDED = func.sum(func.greatest(LedgerEntry.amount, 0))
_TAKEN = func.sum(func.greatest(-LedgerEntry.amount, 0))


def of_accounts(accounts: Collection[LedgerAccount]) -> ColumnElement[bool]:
    """The condition that an entry is of one of these accounts.

    They stand in the statement itself, since indexes have some of the accounts only.
    """
    column = LedgerEntry.account
    if len(accounts) == 1:
        [account] = accounts
        return column == bindparam(None, account, type_=column.type, literal_execute=True)
    return column.in_(
        bindparam(None, sorted(accounts), type_=column.type, expanding=True, literal_execute=True)
    )


async def sum_accounts(
    session: AsyncSession, brand: Brand, accounts: Collection[LedgerAccount] = (), *, now: datetime
) -> list[AccountSum]:
    """What these accounts, or all of them, add up to, by account and currency.

    Days that are over are added up with the first call after them, so the cost of others does not
    grow with the ledger.
    """
    last = await _add_days(session, brand, now=now)
    days = (
        select(
            *(LedgerDay.account, LedgerDay.currency),
            *(func.sum(each) for each in (LedgerDay.added, LedgerDay.taken, LedgerDay.entries)),
        )
        # Not those of a call that comes between: their entries are counted one by one here.
        .where(LedgerDay.brand_id == brand.id, LedgerDay.day <= (last or date.min))
        .group_by(LedgerDay.account, LedgerDay.currency)
    )
    since = (
        select(LedgerEntry.account, LedgerEntry.currency, _ADDED, _TAKEN, func.count())
        .where(*_since(brand.id, last))
        .group_by(LedgerEntry.account, LedgerEntry.currency)
    )
    if accounts:
        days = days.where(LedgerDay.account.in_(accounts))
        since = since.where(of_accounts(accounts))
    found: dict[tuple[Any, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for query in (days, since):
        for account, currency, *parts in await read_rows(session, query):
            found[account, currency] = [
                one + int(other) for one, other in zip(found[account, currency], parts, strict=True)
            ]
    return [
        AccountSum(account, currency, *parts)
        for (account, currency), parts in sorted(found.items(), key=lambda each: (each[0][1], each[0][0]))
    ]


async def first_day_of(session: AsyncSession, brand_id: int, currency: str) -> date | None:
    """The first day that may have entries in this currency; None where that is not known.

    So the entries in a currency that a brand has lately, or never had, are found without reading
    those of all its days.
    """
    in_currency = func.min(LedgerDay.day).filter(LedgerDay.currency == currency)
    first = func.coalesce(in_currency, func.max(LedgerDay.day))
    return await session.scalar(select(first).where(LedgerDay.brand_id == brand_id))


async def liabilities(session: AsyncSession, brand: Brand, *, now: datetime) -> list[Liability]:
    """The outcome of the brand's rewards, by currency."""
    sums = await sum_accounts(session, brand, OF_REWARDS, now=now)
    return [liability_of(each, sums) for each in sorted({each.currency for each in sums})]


async def list_owed(session: AsyncSession, brand_id: int, *, after: UUID | None, limit: int) -> list[UUID]:
    """Referrers about whose rewards there are entries, the newest referrer first."""
    query = (
        select(LedgerEntry.referrer_id)
        .where(
            LedgerEntry.brand_id == brand_id,
            of_accounts(OF_REWARDS),
            LedgerEntry.referrer_id.is_not(None),
        )
        .group_by(LedgerEntry.referrer_id)
        .order_by(LedgerEntry.referrer_id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(LedgerEntry.referrer_id < after)
    return [each for (each,) in await read_rows(session, query) if each is not None]


async def referrers_liabilities(
    session: AsyncSession, brand_id: int, referrer_ids: Sequence[UUID]
) -> dict[UUID, list[Liability]]:
    """The outcome of these referrers' rewards, by referrer; one of each currency."""
    if not referrer_ids:
        return {}
    query = (
        select(LedgerEntry.referrer_id, LedgerEntry.account, LedgerEntry.currency, _ADDED, _TAKEN)
        .where(
            LedgerEntry.brand_id == brand_id,
            in_ids(LedgerEntry.referrer_id, referrer_ids),
            of_accounts(OF_REWARDS),
        )
        .group_by(LedgerEntry.referrer_id, LedgerEntry.account, LedgerEntry.currency)
    )
    rows = await read_rows(session, query)
    sums: dict[UUID, list[AccountSum]] = defaultdict(list)
    for referrer_id, account, currency, added, taken in rows:
        if referrer_id is not None:
            sums[referrer_id].append(AccountSum(account, currency, int(added), int(taken)))
    return {
        referrer_id: [liability_of(currency, found) for currency in sorted({each.currency for each in found})]
        for referrer_id, found in sums.items()
    }


async def _add_days(session: AsyncSession, brand: Brand, *, now: datetime) -> date | None:
    """Add up the days that are over and were not yet; returns the last day that is added up.

    Entries are only ever added, each on the day of its posting, so what is over stays as it is.
    Concurrent calls write the same rows once.
    """
    until = (now - _OVER).astimezone(zone_or(brand.time_zone, "UTC")).date()
    last = await _last_day(session, brand.id)
    if last is not None and last >= until - timedelta(days=1):
        return last
    entries = (
        select(
            literal(brand.id),
            *(LedgerEntry.posted_on, LedgerEntry.account, LedgerEntry.currency),
            *(_ADDED, _TAKEN, func.count()),
        )
        .where(*_since(brand.id, last), LedgerEntry.posted_on < until)
        .group_by(LedgerEntry.posted_on, LedgerEntry.account, LedgerEntry.currency)
        .order_by(LedgerEntry.posted_on, LedgerEntry.account, LedgerEntry.currency)
    )
    columns = ["brand_id", "day", "account", "currency", "added", "taken", "entries"]
    await session.execute(
        insert(LedgerDay).from_select(columns, entries, include_defaults=False).on_conflict_do_nothing()
    )
    # Read again: a concurrent call may have written them.
    return await _last_day(session, brand.id)


_LAST_DAY = Prepared(
    select(func.max(LedgerDay.day)).where(LedgerDay.brand_id == bindparam("of_brand")), one_value
)


async def _last_day(session: AsyncSession, brand_id: int) -> date | None:
    return await _LAST_DAY.first(session, of_brand=brand_id)


def _since(brand_id: int, last: date | None) -> list[ColumnElement[bool]]:
    """The conditions of the entries that are posted after this day; of all for None."""
    found: list[ColumnElement[bool]] = [LedgerEntry.brand_id == brand_id]
    if last is not None:
        start = datetime(last.year, last.month, last.day, tzinfo=UTC) - _SLACK
        found += [LedgerEntry.posted_on > last, LedgerEntry.id >= id_at(start)]
    return found
