"""Violations in the ledger."""

from uuid import UUID

from sqlalchemy import text

from app.base.ids import new_id, public_id
from app.ledger.rules import LedgerAccount
from tests.support.violations.sound import Sound, breaks


async def _one_line(sound: Sound, account: str) -> str:
    """A ledger line without its counterpart; returns its transaction."""
    transaction_id = new_id()
    await sound.sql(
        "INSERT INTO ledger_entries (brand_id, id, transaction_id, transaction_key, account, amount, "
        "currency, cause_kind, cause_id, referrer_id, occurred_at, posted_on) "
        "SELECT brand_id, gen_random_uuid(), :transaction, 'x', :account, 1, currency, cause_kind, "
        "cause_id, referrer_id, occurred_at, posted_on FROM ledger_entries LIMIT 1",
        transaction=transaction_id,
        account=account,
    )
    return public_id("txn", transaction_id)


@breaks("transactions_balance", "ledger_is_append_only")
async def a_transaction_of_one_line(sound: Sound) -> str:
    return await _one_line(sound, "friends")


@breaks("days_are_entries")
async def a_day_of_the_ledger_that_lacks_an_entry(sound: Sound) -> str:
    await sound.sql(
        "INSERT INTO ledger_days (brand_id, day, account, currency, added, taken, entries) "
        "SELECT brand_id, posted_on, account, currency, sum(greatest(amount, 0)), sum(greatest(-amount, 0)), "
        "count(*) - (account = 'friends')::int FROM ledger_entries GROUP BY 1, 2, 3, 4"
    )
    first = await sound.session.scalar(
        text("SELECT min(transaction_id::text) FROM ledger_entries WHERE account = 'friends'")
    )
    return public_id("txn", UUID(first))


@breaks("ledger_is_append_only", "transactions_balance")
async def a_line_that_was_deleted(sound: Sound) -> str:
    await sound.sql("ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_is_append_only")
    transaction_id = await sound.session.scalar(
        text(
            "DELETE FROM ledger_entries WHERE account = 'friends' AND cause_id = :id RETURNING transaction_id"
        ),
        {"id": sound.approved.id},
    )
    return public_id("txn", transaction_id)


@breaks("ledger_is_append_only", "credit_is_in_the_ledger")
async def a_key_that_was_posted_twice(sound: Sound) -> str:
    pairs = (
        (LedgerAccount.friends, LedgerAccount.referrers),
        (LedgerAccount.discount_cost, LedgerAccount.leaked_discount),
    )
    for one, other in pairs:
        await sound.rows.book(sound.approved, one, other, 5, key="twice")
    first = await sound.session.scalar(
        text("SELECT min(transaction_id::text) FROM ledger_entries WHERE transaction_key = 'twice'")
    )
    return public_id("txn", UUID(first))


@breaks("rewards_are_posted", "credit_is_in_the_ledger")
async def a_cost_that_is_no_reward(sound: Sound) -> str:
    await sound.rows.book(sound.approved, LedgerAccount.reward_cost, LedgerAccount.referrers, 5)
    return public_id("red", sound.approved.id)


@breaks("discounts_are_posted")
async def a_discount_that_is_not_in_the_ledger(sound: Sound) -> str:
    await sound.sql("UPDATE redemptions SET amount_off = 5 WHERE id = :id", id=sound.approved.id)
    return public_id("red", sound.approved.id)
