"""What a page reads by: statements one by one, and a connection that goes back as it was."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.base.context import AppContext
from app.base.db import make_engine
from app.base.prepared import Prepared
from app.base.reading import Reading
from app.base.retry import sqlstate_of
from app.brands.models import Brand

_NOW = Prepared(text("SELECT now(), pg_backend_pid()"), lambda at, process: (at, process))
_NAME = Prepared(text("SELECT name FROM brands WHERE id = :of_brand"), str)
_RENAME = Prepared(text("UPDATE brands SET name = :name WHERE id = :of_brand"), tuple)
_BROKEN = Prepared(text("SELECT 1 / CAST(:number AS int)"), int)
_SLEEP = Prepared(text("SELECT pg_sleep(5)"), str)


@pytest.fixture
async def single(context: AppContext) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(context.database_url, pool_size=1)
    yield engine
    await engine.dispose()


async def _moment(reading: Reading) -> tuple[datetime, int]:
    found = await _NOW.first(reading)
    assert found is not None
    return found


async def test_each_statement_is_a_transaction_on_one_connection(single: AsyncEngine, brand: Brand) -> None:
    async with Reading(single) as reading:
        first, process = await _moment(reading)
        assert await _RENAME.run(reading, of_brand=brand.id, name="Renamed") == 1
        second, same = await _moment(reading)
        assert first < second
        assert process == same
    # The pool has one connection, so it came back.
    async with Reading(single) as reading:
        assert await _NAME.first(reading, of_brand=brand.id) == "Renamed"
        assert (await _moment(reading))[1] == process


async def test_no_connection_is_taken_before_the_first_statement(single: AsyncEngine) -> None:
    async with Reading(single), Reading(single) as other:
        assert (await _moment(other))[1] > 0, "the pool's only connection was free"


async def test_an_error_is_sqlalchemys_and_leaves_the_connection_usable(single: AsyncEngine) -> None:
    async with Reading(single) as reading:
        process = (await _moment(reading))[1]
        with pytest.raises(DBAPIError) as raised:
            await _BROKEN.first(reading, number=0)
        assert sqlstate_of(raised.value) == "22012"
        assert (await _moment(reading))[1] == process


async def test_a_cancelled_statement_closes_its_connection(single: AsyncEngine) -> None:
    async with Reading(single) as reading:
        process = (await _moment(reading))[1]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_SLEEP.first(reading), 0.1)
        assert (await _moment(reading))[1] != process


async def test_who_listens_for_statements_hears_of_it(single: AsyncEngine) -> None:
    heard: list[str] = []
    event.listen(single.sync_engine, "before_cursor_execute", lambda *given: heard.append(given[2]))
    async with Reading(single) as reading:
        await _moment(reading)
    assert heard == ["SELECT now(), pg_backend_pid()"]
