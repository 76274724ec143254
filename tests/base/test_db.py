"""Connections of a process: which ones are used again, and sessions that only read."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.base import db
from app.base.db import UNPROVEN_SECONDS, make_engine, make_reading_sessions, make_sessions


@pytest.fixture
async def single(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine with one connection."""
    engine = make_engine(database_url, pool_size=1)
    yield engine
    await engine.dispose()


async def backend(engine: AsyncEngine) -> int:
    async with make_sessions(engine).begin() as session:
        return (await session.execute(select(func.pg_backend_pid()))).scalar_one()


async def end(engine: AsyncEngine, process_id: int) -> None:
    """Have the server close a connection; returns when its process is gone."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:id)"), {"id": process_id})
        living = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :id")
        async with asyncio.timeout(10):
            while await connection.scalar(living, {"id": process_id}):
                await connection.rollback()


async def test_a_connection_that_the_server_closed_is_not_used_again(
    engine: AsyncEngine, single: AsyncEngine
) -> None:
    before = await backend(single)
    assert await backend(single) == before
    async with single.connect() as connection:
        raw = await connection.get_raw_connection()
        closed = asyncio.Event()
        raw.driver_connection.add_termination_listener(lambda _: closed.set())
    await end(engine, before)
    async with asyncio.timeout(10):
        await closed.wait()  # the process hears a moment after the server's is gone
    assert await backend(single) != before


async def test_only_an_idle_connection_is_tested(
    engine: AsyncEngine, single: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = []
    ping = single.dialect.do_ping
    monkeypatch.setattr(single.dialect, "do_ping", lambda each: tested.append(each) or ping(each))
    before = await backend(single)
    await backend(single)
    assert tested == []
    later = db.clock.monotonic() + UNPROVEN_SECONDS + 1
    monkeypatch.setattr(db.clock, "monotonic", lambda: later)
    assert await backend(single) == before
    assert len(tested) == 1


async def test_an_idle_connection_that_fails_its_test_is_replaced(
    single: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await backend(single)
    later = db.clock.monotonic() + UNPROVEN_SECONDS + 1

    def fail(_connection: object) -> bool:
        raise single.dialect.loaded_dbapi.OperationalError("the line is cut")

    monkeypatch.setattr(single.dialect, "do_ping", fail)
    monkeypatch.setattr(db.clock, "monotonic", lambda: later)
    assert await backend(single) != before


async def test_each_statement_of_a_reading_session_is_a_transaction(single: AsyncEngine) -> None:
    begun = select(func.now())
    async with make_sessions(single).begin() as session:
        assert await session.scalar(begun) == await session.scalar(begun)
    async with make_reading_sessions(single)() as session:
        assert await session.scalar(begun) != await session.scalar(begun)
    async with make_sessions(single).begin() as session:
        assert await session.scalar(begun) == await session.scalar(begun)
