"""Domain events: what happened, for packages above that the package below must not import.

A step records its events in its own transaction. The sweep `domain_events` copies each event into
one row per interested consumer and deletes it, in one commit; every consumer then processes rows of
its own. Rows are claimed with SKIP LOCKED and never by "greater than the last id", so an event of a
transaction that commits late is not lost. An event of a kind that no consumer wants is not written;
one that was written before its consumer was removed is deleted.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.base.db import Sessions
from app.base.ids import new_id
from app.base.log import logger
from app.base.models import DomainEvent, EventTask
from app.base.turns import Sweep

log = logger(__name__)

SWEEP_NAME = "domain_events"
BATCH = 500
"""Events of one brand that are fanned out or consumed in one transaction."""
_FIRST_DELAY = timedelta(seconds=10)
_MAX_DELAY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a row: `kind` such as `code.issued`, `subject_id` the row's id."""

    kind: str
    subject_id: UUID
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class RecordedEvent(Event):
    """An event as consumers get it. `id` is unique: the same event delivered again has the same."""

    id: UUID


@dataclass(frozen=True)
class Consumer:
    """A receiver of events of some kinds.

    `consume(session, brand_id, events)` writes through the session and never commits; its writes
    and the removal of the events are one commit, so they take effect exactly once. Effects outside
    the database can be repeated after a crash and need the event's id to be idempotent. A renamed
    consumer is a new one: events fanned out to the old name stay until a consumer of that name
    exists.
    """

    name: str
    kinds: frozenset[str]
    consume: Callable[[AsyncSession, int, Sequence[RecordedEvent]], Awaitable[None]]


CONSUMERS: list[Consumer] = []
"""Every consumer, filled at import by `app.models`, so that all processes have the same list."""


async def record_events(session: AsyncSession, brand_id: int, events: Sequence[Event]) -> None:
    """Write the events in the session's transaction, in one statement, and wake the sweep.

    Events of a kind that no consumer wants are not written: without consumers nothing is executed.
    """
    wanted = {kind for consumer in CONSUMERS for kind in consumer.kinds}
    events = [event for event in events if event.kind in wanted]
    if not events:
        return
    rows = [
        {
            "brand_id": brand_id,
            "id": new_id(),
            "kind": event.kind,
            "subject_id": event.subject_id,
            "occurred_at": event.occurred_at,
        }
        for event in events
    ]
    await session.execute(insert(DomainEvent), rows)
    await due.wake(session, SWEEP_NAME)


def sweep(sessions: Sessions, consumers: Sequence[Consumer]) -> Sweep:
    """The sweep that fans events out to the consumers and runs each of them, brand by brand."""

    async def brands(now: datetime) -> list[int]:
        names = [consumer.name for consumer in consumers]
        async with sessions() as session:
            tasks = select(EventTask.brand_id).where(EventTask.consumer.in_(names), EventTask.due_at <= now)
            return list(
                await session.scalars(union(select(DomainEvent.brand_id), tasks).order_by("brand_id"))
            )

    async def work(brand_id: int, now: datetime) -> int:
        async with sessions.begin() as session:
            count = await fan_out(session, brand_id, consumers, now=now)
        for consumer in consumers:
            count += await consume_due(sessions, brand_id, consumer, now=now)
        return count

    return Sweep(SWEEP_NAME, brands, work)


async def fan_out(
    session: AsyncSession, brand_id: int, consumers: Sequence[Consumer], *, now: datetime
) -> int:
    """Turn up to `BATCH` events of the brand into tasks of the consumers.

    Returns how many events it fanned out.
    """
    events = list(
        await session.scalars(
            select(DomainEvent)
            .where(DomainEvent.brand_id == brand_id)
            .order_by(DomainEvent.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
    )
    if not events:
        return 0
    tasks = [
        _task(event, consumer, now)
        for event in events
        for consumer in consumers
        if event.kind in consumer.kinds
    ]
    if tasks:
        await session.execute(insert(EventTask), tasks)
    ids = [event.id for event in events]
    await session.execute(
        delete(DomainEvent)
        .where(DomainEvent.brand_id == brand_id, in_ids(DomainEvent.id, ids))
        .execution_options(synchronize_session=False)
    )
    return len(events)


def _task(event: DomainEvent, consumer: Consumer, now: datetime) -> dict[str, object]:
    return {
        "brand_id": event.brand_id,
        "event_id": event.id,
        "consumer": consumer.name,
        "kind": event.kind,
        "subject_id": event.subject_id,
        "occurred_at": event.occurred_at,
        "due_at": now,
    }


async def consume_due(sessions: Sessions, brand_id: int, consumer: Consumer, *, now: datetime) -> int:
    """Let the consumer process its due events of the brand; returns how many it processed.

    Where a batch fails, its events are processed one by one, and those that fail again become due
    later: 10 s after the first failure, then twice as long each time, at most an hour.
    """
    try:
        async with sessions.begin() as session:
            return await _consume(session, brand_id, consumer, now=now, limit=BATCH)
    except Exception:
        log.exception("a consumer failed; its events are processed one by one", name=consumer.name)
    done = 0
    for _ in range(BATCH):
        async with sessions.begin() as session:
            tasks = await _claim(session, brand_id, consumer, now=now, limit=1)
            if not tasks:
                break
            try:
                async with session.begin_nested():
                    await consumer.consume(session, brand_id, _events(tasks))
            except Exception:
                log.exception("an event could not be processed", name=consumer.name)
                await _defer(session, tasks[0], now=now)
            else:
                await _remove(session, tasks)
                done += 1
    return done


async def _consume(
    session: AsyncSession, brand_id: int, consumer: Consumer, *, now: datetime, limit: int
) -> int:
    tasks = await _claim(session, brand_id, consumer, now=now, limit=limit)
    if tasks:
        await consumer.consume(session, brand_id, _events(tasks))
        await _remove(session, tasks)
    return len(tasks)


async def _claim(
    session: AsyncSession, brand_id: int, consumer: Consumer, *, now: datetime, limit: int
) -> list[EventTask]:
    tasks = await session.scalars(
        select(EventTask)
        .where(EventTask.brand_id == brand_id, EventTask.consumer == consumer.name, EventTask.due_at <= now)
        .order_by(EventTask.event_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(tasks)


def _events(tasks: Sequence[EventTask]) -> list[RecordedEvent]:
    return [RecordedEvent(task.kind, task.subject_id, task.occurred_at, task.event_id) for task in tasks]


async def _remove(session: AsyncSession, tasks: Sequence[EventTask]) -> None:
    first = tasks[0]
    await session.execute(
        delete(EventTask)
        .where(
            EventTask.brand_id == first.brand_id,
            EventTask.consumer == first.consumer,
            in_ids(EventTask.event_id, [task.event_id for task in tasks]),
        )
        .execution_options(synchronize_session=False)
    )


async def _defer(session: AsyncSession, task: EventTask, *, now: datetime) -> None:
    task.due_at = now + min(_FIRST_DELAY * 2 ** min(task.attempts, 20), _MAX_DELAY)
    task.attempts += 1
    await session.flush()
