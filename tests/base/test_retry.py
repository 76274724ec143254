import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.base.retry import is_conflict, retry_conflicts


@pytest.fixture
async def rows(context):
    async with context.sessions.begin() as session:
        await session.execute(text("CREATE TABLE counters (id int PRIMARY KEY, n int)"))
        await session.execute(text("INSERT INTO counters VALUES (1, 0), (2, 0)"))


async def add_one(session, row):
    await session.execute(text("UPDATE counters SET n = n + 1 WHERE id = :id"), {"id": row})


async def counts(context):
    async with context.sessions() as session:
        return list(await session.scalars(text("SELECT n FROM counters ORDER BY id")))


@pytest.mark.parametrize("nested", [False, True])
async def test_two_transactions_that_deadlock_both_succeed(context, rows, nested):
    met, tries = asyncio.Barrier(2), []

    async def once(session, order, first):
        await add_one(session, order[0])
        if len(first) == 1:
            await met.wait()
        await add_one(session, order[1])

    async def run(order):
        first: list[int] = []

        if not nested:

            async def work():
                first.append(1)
                tries.append(1)
                async with context.sessions.begin() as session:
                    await once(session, order, first)

            await retry_conflicts(work, name="test")
            return
        async with context.sessions.begin() as session:

            async def work():
                first.append(1)
                tries.append(1)
                async with session.begin_nested():
                    await once(session, order, first)

            await retry_conflicts(work, name="test")

    await asyncio.gather(run((1, 2)), run((2, 1)))
    assert len(tries) == 3, "one of both was rolled back, once"
    assert await counts(context) == [2, 2]


async def test_a_conflict_that_stays_is_raised_in_the_end(context):
    tries = []

    async def work():
        tries.append(1)
        async with context.sessions.begin() as session:
            await session.execute(
                text("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'serialization_failure'; END $$")
            )

    with pytest.raises(DBAPIError) as raised:
        await retry_conflicts(work, name="test", tries=2)
    assert is_conflict(raised.value)
    assert len(tries) == 2


async def test_other_errors_are_not_repeated(context):
    tries = []

    async def work():
        tries.append(1)
        async with context.sessions.begin() as session:
            await session.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError) as raised:
        await retry_conflicts(work, name="test")
    assert not is_conflict(raised.value)
    assert len(tries) == 1
