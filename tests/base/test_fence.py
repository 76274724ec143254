"""The fence is raised for an older copy alone."""

import asyncio

import pytest
from sqlalchemy import event, text

from app.base.fence import load_fence, may_send, reserve


@pytest.fixture
async def journal(context):
    """A journal that is started, with two records written."""
    assert await may_send(context.sessions, context.journal)
    for _ in range(2):
        async with context.sessions.begin() as session:
            reserved = await reserve(session, context.journal)
        await reserved.write("mark", 0, [])
    return context.journal


async def test_sweeps_that_start_together_share_one_file_and_raise_no_fence(context):
    """A worker's sweeps ask side by side, some of them again before the others are answered."""

    async def ask() -> list[bool]:
        return [await may_send(context.sessions, context.journal) for _ in range(10)]

    answers = await asyncio.gather(*(ask() for _ in range(5)))
    assert answers == [[True] * 10] * 5
    async with context.sessions() as session:
        assert await load_fence(session) is None
        assert await session.scalar(text("SELECT count(*) FROM journal_positions")) == 1


async def test_a_number_that_is_committed_while_the_position_is_read_raises_no_fence(context, journal):
    """Brands are sent side by side: another task's record may be written while this one asks."""

    def another_task(_connection, _cursor, statement, *_others):
        if "FROM journal_positions" in statement:
            journal.writer.known += 1

    event.listen(context.engine.sync_engine, "after_cursor_execute", another_task)
    assert await may_send(context.sessions, journal)
    event.remove(context.engine.sync_engine, "after_cursor_execute", another_task)
    assert journal.writer.known == 3


async def test_reservations_side_by_side_have_numbers_of_their_own_and_raise_no_fence(context, journal):
    """Else one is taken for another that is not committed yet, as of a database that went back."""

    async def reserve_one() -> int:
        async with context.sessions.begin() as session:
            reserved = await reserve(session, journal)
        await reserved.write("mark", 0, [])
        return reserved.number

    numbers = await asyncio.gather(*(reserve_one() for _ in range(3)))
    assert sorted(numbers) == [3, 4, 5]
    assert await may_send(context.sessions, journal)


async def test_a_database_that_went_back_sends_nothing(context, journal):
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE journal_positions SET number = 1"))
    assert not await may_send(context.sessions, journal)
    async with context.sessions() as session:
        fence = await load_fence(session)
    assert fence is not None
    assert "went back" in fence.reason
