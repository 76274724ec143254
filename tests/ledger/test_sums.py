"""What accounts add up to: days that are over are added up once, what came since is counted."""

import asyncio
from datetime import timedelta

from sqlalchemy import select, text

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand
from app.ledger.check import find_unbalanced, unbalanced_currencies
from app.ledger.liability_rules import AccountSum, Liability, liability_of
from app.ledger.models import LedgerDay
from app.ledger.post import LedgerTransaction, post_entries
from app.ledger.rules import CauseKind, LedgerAccount
from app.ledger.sums import liabilities, sum_accounts
from tests.support.constants import NOW

COST, OWED, SPENT, LAPSED = (
    LedgerAccount.reward_cost,
    LedgerAccount.referrers,
    LedgerAccount.spent_rewards,
    LedgerAccount.lapsed_rewards,
)


async def post(
    context: AppContext, brand: Brand, account: LedgerAccount, amount: int, *, days: float
) -> None:
    other = OWED if account is COST else LedgerAccount(SPENT if account is OWED else account)
    one = COST if account is COST else OWED
    now = NOW + timedelta(days=days)
    key = f"{account}:{new_id()}"
    posted = LedgerTransaction(key, one, other, amount, "EUR", CauseKind.reward, new_id(), now)
    async with context.sessions.begin() as session:
        await post_entries(session, brand, [posted], now=now)


async def liability(context: AppContext, brand: Brand, *, days: float) -> Liability:
    async with context.sessions.begin() as session:
        [found] = await liabilities(session, brand, now=NOW + timedelta(days=days))
        return found


def test_what_is_owed_is_what_is_left_of_rewards():
    sums = [
        AccountSum(COST, "EUR", 5000, 1500),
        AccountSum(OWED, "EUR", 2600, 5100),
        AccountSum(SPENT, "EUR", 100, 900),
        AccountSum(LAPSED, "EUR", 0, 200),
        AccountSum(COST, "JPY", 800, 0),
    ]
    assert liability_of("EUR", sums) == Liability("EUR", 5000, 1500, 800, 200, 2500)
    assert liability_of("EUR", sums).balances
    assert not liability_of("JPY", sums).balances
    assert unbalanced_currencies(sums) == {"JPY": 800}


async def test_days_that_are_over_are_added_up_once_and_later_ones_are_counted(
    context: AppContext, brand: Brand
) -> None:
    for account, amount, days in ((COST, 1000, 0), (COST, -300, 1), (OWED, 200, 1), (LAPSED, 100, 2)):
        await post(context, brand, account, amount, days=days)
    expected = Liability("EUR", 1000, 300, 200, 100, 400)
    # Nothing is over yet, then some days are, by several calls at one moment.
    assert await liability(context, brand, days=0) == expected
    together = await asyncio.gather(*(liability(context, brand, days=2.5) for _ in range(4)))
    assert together == [expected] * 4
    async with context.sessions() as session:
        days = await session.scalars(select(LedgerDay.day).distinct().order_by(LedgerDay.day))
        assert days.all() == [NOW.date()]
    assert await liability(context, brand, days=9) == expected
    await post(context, brand, COST, 50, days=9)
    assert (await liability(context, brand, days=9)).granted == 1050
    assert (await liability(context, brand, days=19)).outstanding == 450
    async with context.sessions() as session:
        entries = select(LedgerDay.entries).where(LedgerDay.account == COST).order_by(LedgerDay.day)
        assert (await session.scalars(entries)).all() == [1, 1, 1]


async def test_a_transaction_that_does_not_add_up_is_named(context: AppContext, brand: Brand) -> None:
    await post(context, brand, COST, 1000, days=0)
    async with context.sessions.begin() as session:
        transaction = await session.scalar(
            text(
                "INSERT INTO ledger_entries (brand_id, id, transaction_id, transaction_key, account, amount, "
                "currency, cause_kind, cause_id, occurred_at, posted_on) SELECT brand_id, gen_random_uuid(), "
                "gen_random_uuid(), 'half', account, 7, currency, cause_kind, cause_id, occurred_at, posted_on "
                "FROM ledger_entries LIMIT 1 RETURNING transaction_id"
            )
        )
    for days in (0, 5):
        async with context.sessions.begin() as session:
            sums = await sum_accounts(session, brand, now=NOW + timedelta(days=days))
            assert unbalanced_currencies(sums) == {"EUR": 7}
            [found] = await find_unbalanced(session, brand.id)
            assert (found.transaction_id, found.amount) == (transaction, 7)
