"""Each test begins with the database as migrations leave it, though a worker has one for all."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.base.actor import cli_actor
from app.base.db import make_engine, make_sessions
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop
from tests.support.constants import SECRET_KEY
from tests.support.databases import POOL, TEMPLATE, Databases, on
from tests.support.factories.rows import Rows

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
SEQUENCES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'"


@pytest.fixture
async def own(server_url: str) -> AsyncIterator[Databases]:
    """Beside the database that the worker's tests share."""
    made = Databases(server_url)
    yield made
    await made.drop()


async def connected(url: str) -> asyncpg.Connection:
    """A connection that looks like one of the worker's engine."""
    return await asyncpg.connect(url, server_settings={"application_name": POOL})


async def state_of(url: str) -> dict[str, Any]:
    """All rows of every table, and where each sequence stands."""
    connection = await asyncpg.connect(url)
    tables = [row[0] for row in await connection.fetch(TABLES)]
    sequences = [row[0] for row in await connection.fetch(SEQUENCES)]
    state = {each: await connection.fetchval(f"SELECT array_agg(t::text) FROM {each} t") for each in tables}
    state |= {
        each: tuple(await connection.fetchrow(f"SELECT last_value, is_called FROM {each}"))
        for each in sequences
    }
    await connection.close()
    return state


async def fill(url: str) -> None:
    """A promoter with a code, a friend's order and its reward, ledger and all."""
    engine = make_engine(url, pool_size=1)
    async with make_sessions(engine).begin() as session:
        brand = await add_brand(session, "acme", name="Acme Goods", time_zone="Europe/Berlin")
        actor = cli_actor(brand.id)
        shop, _ = await add_shop(session, Tokens(SECRET_KEY), brand, "acme", name="Acme", actor=actor)
        rows = Rows(session, brand, shop)
        response = await rows.answer(10)
        await rows.redemption(await rows.code(response.customer_id, response.survey_id))
    await engine.dispose()


async def test_an_emptied_database_is_as_migrations_left_it(own: Databases, server_url: str):
    url = on(server_url, await own.take())
    await fill(url)
    connection = await connected(url)
    await connection.execute("UPDATE installations SET id = gen_random_uuid()")
    before, fresh = await state_of(url), await state_of(on(server_url, TEMPLATE))
    assert len([each for each in fresh if before[each] != fresh[each]]) > 12
    assert await own.give_back() is None
    assert await state_of(url) == fresh
    assert on(server_url, await own.take()) == url
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (["ALTER TABLE brands ADD COLUMN more int"], "the schema was changed"),
        (["DROP TRIGGER ledger_entries_is_append_only ON ledger_entries"], "the schema was changed"),
        (["ANALYZE brands"], "tables were analyzed"),
        (["SELECT pg_advisory_lock(1, 2)"], "an advisory lock is held"),
        (["BEGIN", "SELECT FROM brands"], "somebody is connected or in a transaction"),
        (["SET application_name = 'another'"], "somebody is connected or in a transaction"),
        (
            [
                "INSERT INTO journal_positions SELECT repeat('x', 1500) || n, n FROM generate_series(1, 3500) n"
            ],
            "it has become large",
        ),
    ],
)
async def test_a_database_that_cannot_be_emptied_is_dropped(
    own: Databases, server_url: str, statements: list[str], why: str
):
    first = await own.take()
    connection = await connected(on(server_url, first))
    for statement in statements:
        await connection.execute(statement)
    assert await own.give_back() == why
    assert await own.take() != first
    connection.terminate()
