import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.base import due, outbox
from app.base.outbox import Consumer, Event, record_events, sweep

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def events(count: int, kind: str = "code.issued") -> list[Event]:
    return [Event(kind, uuid4(), NOW) for _ in range(count)]


@pytest.fixture(autouse=True)
def consumed_kinds(monkeypatch):
    """Kinds that are written; which consumers get them is each test's own matter."""
    monkeypatch.setattr(outbox, "CONSUMERS", [consumer("any", "code.issued", "reward.granted")])


async def record(context, brand, given):
    async with context.sessions.begin() as session:
        await record_events(session, brand.id, given)


@pytest.fixture
async def seen(context):
    """A table that a consumer writes to, in the transaction that it is given."""
    async with context.sessions.begin() as session:
        await session.execute(text("CREATE TABLE seen (consumer text, event_id uuid, subject_id uuid)"))

    async def read(consumer: str) -> Counter:
        async with context.sessions() as session:
            rows = await session.scalars(
                text("SELECT subject_id FROM seen WHERE consumer = :name"), {"name": consumer}
            )
            return Counter(rows)

    return read


def consumer(name: str, *kinds: str, fail=lambda _event: False) -> Consumer:
    async def consume(session, _brand_id, given):
        for event in given:
            await session.execute(
                text("INSERT INTO seen VALUES (:name, :id, :subject)"),
                {"name": name, "id": event.id, "subject": event.subject_id},
            )
            if fail(event):
                raise RuntimeError("broken")

    return Consumer(name, frozenset(kinds or {"code.issued"}), consume)


async def left(context) -> tuple[int, int]:
    async with context.sessions() as session:
        return (
            await session.scalar(text("SELECT count(*) FROM domain_events")),
            await session.scalar(text("SELECT count(*) FROM event_tasks")),
        )


async def test_each_consumer_gets_the_events_of_its_kinds_once(context, brand, seen):
    codes, rewards = events(3), events(2, "reward.granted")
    await record(context, brand, codes + rewards)
    both = sweep(
        context.sessions, [consumer("all", "code.issued", "reward.granted"), consumer("r", "reward.granted")]
    )
    for _ in range(2):
        await due.sweep_once(both, NOW)
    assert await seen("all") == Counter(event.subject_id for event in codes + rewards)
    assert await seen("r") == Counter(event.subject_id for event in rewards)
    assert await left(context) == (0, 0)


async def test_an_event_exists_if_and_only_if_its_transaction_is_committed(context, brand, seen):
    async with context.sessions() as session:
        await record_events(session, brand.id, events(1))
        await session.rollback()
    await due.sweep_once(sweep(context.sessions, [consumer("a")]), NOW)
    assert await seen("a") == Counter()
    async with context.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer")) == 0
    await record(context, brand, events(1))
    async with context.sessions() as session:
        assert await session.scalar(text("SELECT entrypoint FROM pgqueuer")) == outbox.SWEEP_NAME


async def test_an_event_that_commits_after_later_ones_is_not_lost(context, brand, seen):
    early, later = events(1), events(1)
    run = sweep(context.sessions, [consumer("a")])
    async with context.sessions() as slow:
        await record_events(slow, brand.id, early)
        await record(context, brand, later)
        await due.sweep_once(run, NOW)
        assert await seen("a") == Counter([later[0].subject_id])
        await slow.commit()
    await due.sweep_once(run, NOW)
    assert await seen("a") == Counter([early[0].subject_id, later[0].subject_id])


async def test_two_workers_share_the_events_and_deliver_each_once(context, brand, seen, monkeypatch):
    monkeypatch.setattr(outbox, "BATCH", 7)
    given = events(100)
    await record(context, brand, given)
    run = sweep(context.sessions, [consumer("a"), consumer("b")])
    for _ in range(3):
        await asyncio.gather(*(due.sweep_once(run, NOW) for _ in range(3)))
    expected = Counter(event.subject_id for event in given)
    assert (await seen("a"), await seen("b")) == (expected, expected)
    assert await left(context) == (0, 0)


async def test_a_crash_between_fanning_out_and_consuming_loses_nothing(context, brand, seen):
    given = events(3)
    await record(context, brand, given)
    async with context.sessions.begin() as session:
        assert await outbox.fan_out(session, brand.id, [consumer("a")], now=NOW) == 3
    assert await left(context) == (0, 3)
    await due.sweep_once(sweep(context.sessions, [consumer("a")]), NOW)
    assert await seen("a") == Counter(event.subject_id for event in given)


async def test_a_crash_while_consuming_leaves_the_event_and_no_half_of_its_effect(context, brand, seen):
    (event,) = events(1)
    await record(context, brand, [event])

    async def killed(session, brand_id, given):
        await consumer("a").consume(session, brand_id, given)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await due.sweep_once(
            sweep(context.sessions, [Consumer("a", frozenset({"code.issued"}), killed)]), NOW
        )
    assert await seen("a") == Counter()
    await due.sweep_once(sweep(context.sessions, [consumer("a")]), NOW)
    assert await seen("a") == Counter([event.subject_id])


async def test_an_event_that_fails_is_tried_later_and_holds_up_no_other(context, brand, seen):
    given = events(5)
    broken = {given[2].subject_id}
    await record(context, brand, given)
    run = sweep(
        context.sessions,
        [consumer("a", fail=lambda event: event.subject_id in broken), consumer("b")],
    )
    await due.sweep_once(run, NOW)
    others = Counter(event.subject_id for event in given if event.subject_id not in broken)
    assert await seen("a") == others
    assert await seen("b") == Counter(event.subject_id for event in given)
    broken.clear()
    await due.sweep_once(run, NOW + timedelta(seconds=9))
    assert await seen("a") == others
    await due.sweep_once(run, NOW + timedelta(seconds=10))
    assert await seen("a") == Counter(event.subject_id for event in given)


async def test_events_that_nobody_wants_are_deleted(context, brand):
    await record(context, brand, events(2))
    assert await due.sweep_once(sweep(context.sessions, []), NOW) == 2
    assert await left(context) == (0, 0)


async def test_an_event_of_a_kind_without_a_consumer_is_not_written(context, brand):
    await record(context, brand, events(1, "survey.sent"))
    assert await left(context) == (0, 0)
