"""A session's transaction ends with its block, committed or rolled back, whatever happens."""

import asyncio

import pytest
from asyncpg.transaction import Transaction
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.brands.models import Brand


async def _name(context) -> str:
    async with context.sessions() as session:
        return await session.scalar(select(Brand.name))


async def _rename_and_fail(context) -> None:
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(name="Third"))
        raise ZeroDivisionError


async def test_a_block_that_ends_is_committed_and_one_that_fails_is_not(context, brand):
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(name="Second"))
    with pytest.raises(ZeroDivisionError):
        await _rename_and_fail(context)
    assert await _name(context) == "Second"


async def test_what_was_not_flushed_is_written_with_the_commit_or_its_error_is_raised(context, brand):
    with pytest.raises(IntegrityError):
        async with context.sessions.begin() as session:
            session.add(Brand(slug=brand.slug, name="Twin", branding={}))
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Brand)) == 1


async def test_one_that_is_cancelled_while_it_commits_is_committed_first(context, brand, monkeypatch):
    commit, committing, may_end = Transaction.commit, asyncio.Event(), asyncio.Event()

    async def commit_slowly(transaction) -> None:
        committing.set()
        await may_end.wait()
        await commit(transaction)

    async def rename() -> None:
        async with context.sessions.begin() as session:
            await session.execute(update(Brand).values(name="Second"))

    monkeypatch.setattr(Transaction, "commit", commit_slowly)
    task = asyncio.create_task(rename())
    await committing.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    assert await _name(context) == "Second"


async def test_one_that_is_cancelled_within_is_rolled_back_and_its_connection_is_used_again(context, brand):
    within = asyncio.Event()

    async def rename() -> None:
        async with context.sessions.begin() as session:
            await session.execute(update(Brand).values(name="Second"))
            within.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(rename())
    await within.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert context.engine.pool.checkedout() == 0
    assert await _name(context) == brand.name


async def test_without_a_statement_no_connection_is_taken(context):
    async with context.sessions.begin():
        assert context.engine.pool.checkedout() == 0
