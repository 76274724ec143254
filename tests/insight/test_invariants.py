"""Every invariant is broken in real rows; the check names it and the row that breaks it."""

import asyncio
import uuid
from collections.abc import Iterator

import asyncpg
import pytest
from sqlalchemy import text, update
from sqlalchemy.engine import make_url

from app.base.actor import cli_actor
from app.base.db import Base, EnumText
from app.brands.add import add_brand, add_shop
from app.ingest.rules import DeliveryStatus
from app.insight.invariants import INVARIANTS, MOST_ROWS, check
from app.insight.reference_invariants import REFERENCES
from app.insight.word_invariants import word_columns
from app.ledger.rules import LedgerAccount
from app.orders.facts_rules import FactKind
from app.orders.models import OrderFact
from app.referrals.reward_models import Reward
from app.referrals.rules import RedemptionStatus
from tests.support.factories.rows import START, Rows
from tests.support.violations import (  # noqa: F401  # they fill CASES
    computed,
    consents,
    erasure,
    ledger,
    references,
    referrals,
    rewards,
    rollups,
    surveys,
)
from tests.support.violations.sound import CASES, Sound, Work


@pytest.fixture(scope="module")
def database_url(server_url: str) -> Iterator[str]:
    """One database for all cases: each works in a transaction that is never committed."""
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(
        _on_server(server_url, f"CREATE DATABASE {name} TEMPLATE template_tenfold STRATEGY FILE_COPY")
    )
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    asyncio.run(_on_server(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _on_server(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@pytest.fixture
async def sound(context, session) -> Sound:
    brand = await add_brand(session, "acme", name="Acme Goods", time_zone="Europe/Berlin")
    shop, _ = await add_shop(
        session,
        context.tokens,
        brand,
        "acme",
        name="Acme",
        time_zone="Europe/Berlin",
        actor=cli_actor(brand.id),
    )
    rows = Rows(session, brand, shop)
    response = await rows.answer(10)
    code = await rows.code(response.customer_id, response.survey_id)
    approved = await rows.redemption(code)
    refused = await rows.redemption(code, RedemptionStatus.refused)
    return Sound(context, rows, response, code, approved, refused)


async def violations(sound: Sound) -> dict[str, list[str]]:
    return {each.name: each.rows for each in await check(sound.session, sound.context.tokens)}


async def test_sound_rows_violate_nothing(sound):
    await surveys.fetching(sound, due=True)
    await sound.delivery(DeliveryStatus.processed, processed_at=START)
    assert await violations(sound) == {}


@pytest.mark.parametrize(("name", "also", "work"), CASES)
async def test_a_violation_is_named_with_its_row(sound, name: str, also: set[str], work: Work):
    row = await work(sound)
    found = await violations(sound)
    assert found[name] == [row]
    assert found.keys() == {name} | also


def test_every_invariant_is_shown_to_fire():
    names = [invariant.name for invariant in INVARIANTS]
    assert len(set(names)) == len(names)
    assert {case.values[0] for case in CASES} == set(names)


async def test_an_unknown_word_is_found_in_every_column_of_words(sound):
    columns = [(table.name, column.name) for table, found in word_columns().items() for column in found]
    assert len(columns) == sum(
        isinstance(column.type, EnumText) for table in Base.metadata.tables.values() for column in table.c
    )
    (invariant,) = (invariant for invariant in INVARIANTS if invariant.name == "words_are_known")
    filled = set()
    for table, column in columns:
        nested = await sound.session.begin_nested()
        await _drop_guards(sound, table)
        changed = await sound.session.execute(
            text(f"UPDATE {table} SET {column} = 'nonsense' WHERE ctid = (SELECT min(ctid) FROM {table})")
        )
        found = await invariant.find(sound.session, sound.context.tokens)
        assert [row.split()[0] for _, row in found] == [f"{table}.{column}"] * changed.rowcount
        filled |= {table} if changed.rowcount else set()
        await nested.rollback()
    assert {"orders", "surveys", "messages", "codes", "rewards"} <= filled


async def test_a_reference_to_no_row_is_found_in_every_column_without_a_foreign_key(sound):
    await sound.delivery(DeliveryStatus.processed, processed_at=START)
    await sound.sent_message()
    (invariant,) = (invariant for invariant in INVARIANTS if invariant.name == "references_lead_to_rows")
    named = set()
    for each in REFERENCES:
        nested = await sound.session.begin_nested()
        await sound.sql("SET LOCAL session_replication_role = replica")
        value = {"integer": "-1", "bytea": "'none'"}.get(await _type_of(sound, each.table, each.column))
        changed = await sound.session.execute(
            text(
                f"UPDATE {each.table} SET {each.column} = {value or 'gen_random_uuid()'} "
                f"WHERE ctid = (SELECT min(ctid) FROM {each.table})"
            )
        )
        found = [row.split()[0] for _, row in await invariant.find(sound.session, sound.context.tokens)]
        assert found.count(f"{each.table}.{each.column}") == changed.rowcount
        named |= set(found)
        await nested.rollback()
    assert len(named) >= 8


async def _type_of(sound: Sound, table: str, column: str) -> str:
    return str(
        await sound.value(
            "SELECT data_type FROM information_schema.columns WHERE table_name = :of AND column_name = :name",
            of=table,
            name=column,
        )
    )


async def _drop_guards(sound: Sound, table: str) -> None:
    """Drop the table's CHECKs and disable its triggers."""
    await sound.sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    names = await sound.session.scalars(
        text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass) AND contype = 'c'"),
        {"name": table},
    )
    for name in list(names):
        await sound.without(table, name)


async def test_at_most_a_hundred_rows_are_named(sound):
    for _ in range(MOST_ROWS + 1):
        await sound.rows.order(None)
    assert len((await violations(sound))["order_has_survey"]) == MOST_ROWS


async def test_a_granted_reward_shrinks_with_its_order(sound):
    approved = sound.approved
    external_id = await sound.session.scalar(
        text("SELECT external_id FROM orders WHERE id = :id"), {"id": approved.order_id}
    )
    await sound.sql("UPDATE orders SET refunded = 3600 WHERE id = :id", id=approved.order_id)
    sound.session.add(
        OrderFact(
            brand_id=approved.brand_id,
            shop_id=sound.rows.shop.id,
            order_external_id=external_id,
            kind=FactKind.refunded,
            key="r",
            amount=36,
            at=START,
        )
    )
    await sound.rows.book(approved, LedgerAccount.reward_cost, LedgerAccount.referrers, -500)
    await sound.session.execute(update(Reward).values(net_amount=500))
    await sound.sql("UPDATE credit_accounts SET balance = 500")
    assert await violations(sound) == {}
