"""Due work: the rows with a due time are the truth, PGQueuer wakes the workers that process them.

A package offers a `Sweep`. A wake-up is a job "run this sweep", written through the session's own
connection, so it exists if and only if the rows do. What somebody waits for is woken by a
notification of its own, which names the brand. A wake-up carries no deduplication key: two
transactions with the same key would wait for each other, and two sweeps in opposite order would
deadlock. A sweep that finds nothing ends at once, so an unneeded wake-up costs little. Every
worker also sweeps regularly, which finds what became due by time alone, and what a lost wake-up
left.

Only this file and `app/worker.py` know the queue engine.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import cycle

import asyncpg
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.core.qm import QueueManager
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.domain.errors import FailingListenerError
from pgqueuer.models import HealthCheckEvent, Job
from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base import clock
from app.base.db import CONNECT_SECONDS, WORKER, Sessions
from app.base.prepared import fetch
from app.base.turns import Sweep, Turns


async def wake(session: AsyncSession, *names: str) -> None:
    """Ask for these sweeps to run as soon as the session's transaction is committed."""
    count = len(names)
    nothing: list[None] = [None] * count
    values = ([0] * count, list(names), nothing, [timedelta(0)] * count, nothing, ["{}"] * count)
    await fetch(session, _ENQUEUE, values)


_ENQUEUE = QueryQueueBuilder().build_enqueue_query()


async def wake_for(session: AsyncSession, name: str, brand_id: int) -> None:
    """Ask for a sweep `by_brand` to work on this brand as soon as the transaction is committed.

    The database tells each worker, without the queue and its rounds of questions.
    """
    await fetch(session, _NOTIFY, (_channel(name), str(brand_id)))


_NOTIFY = "SELECT pg_notify($1, $2)"


def _channel(name: str) -> str:
    return f"tenfold_{name}"


async def brands_of(
    sessions: Sessions, brand_id: InstrumentedAttribute[int], *due: ColumnElement[bool]
) -> Sequence[int]:
    """The brands that have a row for which all of `due` hold, each once and in order."""
    async with sessions() as session:
        found = await session.scalars(select(brand_id).where(*due).distinct().order_by(brand_id))
        return found.all()


async def sweep_once(sweep: Sweep, now: datetime) -> int:
    """Do all that is due for one sweep at the time `now`; returns how many rows were advanced.

    As `sweep_by`, with a fixed time.
    """
    return await sweep_by(sweep, lambda: now)


async def sweep_by(sweep: Sweep, time: Callable[[], datetime]) -> int:
    """Do all that is due for one sweep, in turns of brands; returns how many rows were advanced.

    Each round reads again which brands have something due, and each batch the time: a long sweep
    neither delays a brand that came later nor decides by an old time. Brands that another process
    works on are waited for. A brand whose batch fails is left out, and the first such error is
    raised once the others are done.
    """
    turns = Turns(sweep, time)
    await turns.run()
    for error in turns.failures.values():
        raise error
    return turns.moved


async def run_until_idle(
    sweeps: Sequence[Sweep], now: datetime, *, report: Callable[[str, int], None] = lambda _name, _count: None
) -> dict[str, int]:
    """Run all sweeps in turn as if it were `now`, until each has advanced nothing since any did.

    Returns the counts by sweep.
    """
    counts = {sweep.name: 0 for sweep in sweeps}
    idle = 0
    for sweep in cycle(sweeps):
        count = await sweep_once(sweep, now)
        if count:
            counts[sweep.name] += count
            report(sweep.name, count)
        idle = 0 if count else idle + 1
        if idle == len(sweeps):
            break
    return counts


class PatientQueue(QueueManager):
    """The queue engine, which takes its listener for broken only after two lost probes.

    The engine sends its first probe while the listener is still being set up. On a slow machine the
    probe comes too early, nobody hears it, and a healthy worker would end ten seconds later.
    """

    async def listener_healthy(
        self,
        timeout: timedelta = timedelta(seconds=10),  # noqa: ASYNC109  # the engine's own signature
    ) -> HealthCheckEvent:
        """Probe the listener; raises `FailingListenerError` after a second lost probe."""
        try:
            return await super().listener_healthy(timeout / 5)
        except FailingListenerError:
            return await super().listener_healthy(timeout)


async def run_worker(
    url: str,
    sweeps: Sequence[Sweep],
    stop: asyncio.Event,
    *,
    ready: asyncio.Event | None = None,
    connections: int = 3,
) -> None:
    """Sweep on wake-ups and every `every_seconds` until `stop` is set; batches in progress finish.

    Runs beside any number of other workers. The queue engine uses that many `connections`. Raises
    when the database is lost; the caller restarts it.
    """
    async with _queue_pool(url, connections) as pool:
        driver = AsyncpgPoolDriver(pool)
        queue = PatientQueue(Queries(driver))
        async with _sweeping(sweeps, queue.shutdown) as turns:
            for sweep, each in zip(sweeps, turns, strict=True):
                if sweep.by_brand:
                    await driver.add_listener(_channel(sweep.name), _asking_for(each))
                else:
                    _register(queue, sweep.name, each)
            stopper = asyncio.create_task(_stop_with(stop, queue))
            if ready is not None:
                ready.set()
            try:
                await queue.run(
                    batch_size=20, dequeue_timeout=timedelta(seconds=5), shutdown_on_listener_failure=True
                )
            finally:
                stopper.cancel()


async def run_by_brand(url: str, sweep: Sweep, stop: asyncio.Event) -> None:
    """As `run_worker` for one sweep `by_brand`, which needs no queue; it uses one connection.

    Raises `ConnectionError` when that is lost.
    """
    connection = await _connect(url)
    ended = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _connection: ended.set())
        async with _sweeping([sweep], ended) as [turns]:
            ask = _asking_for(turns)
            await connection.add_listener(_channel(sweep.name), lambda *given: ask(given[-1]))
            waits = [asyncio.create_task(event.wait()) for event in (stop, ended)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
    finally:
        if not connection.is_closed():
            await connection.close(timeout=CONNECT_SECONDS)
    if not stop.is_set():
        raise ConnectionError("the connection that listens for wake-ups was lost")


@asynccontextmanager
async def _sweeping(sweeps: Sequence[Sweep], ended: asyncio.Event) -> AsyncIterator[list[Turns]]:
    """Give turns and ask regularly for the time of the block; sets `ended` where turns end."""
    turns = [Turns(sweep, clock.now, lasting=True) for sweep in sweeps]
    tasks = [asyncio.create_task(each.run()) for each in turns]
    for task in tasks:
        task.add_done_callback(lambda _: ended.set())
    timers = [asyncio.create_task(_ask_regularly(*pair)) for pair in zip(turns, sweeps, strict=True)]
    try:
        yield turns
    finally:
        for timer in timers:
            timer.cancel()
        for each in turns:
            each.stop()
        await asyncio.gather(*tasks)


def _asking_for(turns: Turns) -> Callable[[str | bytes | bytearray], None]:
    def on_wake_up(payload: str | bytes | bytearray) -> None:
        turns.ask_for(int(payload))

    return on_wake_up


def _queue_pool(url: str, connections: int) -> asyncpg.Pool:
    return asyncpg.create_pool(
        url, min_size=2, max_size=connections, timeout=CONNECT_SECONDS, server_settings=_SERVER_SETTINGS
    )


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url, timeout=CONNECT_SECONDS, server_settings=_SERVER_SETTINGS)


_SERVER_SETTINGS = {"application_name": "tenfold queue", **WORKER.server_settings}


def _register(queue: QueueManager, name: str, turns: Turns) -> None:
    @queue.entrypoint(name)
    async def on_wake_up(_job: Job) -> None:
        turns.asked.set()


async def _ask_regularly(turns: Turns, sweep: Sweep) -> None:
    """Find what is due by time alone, and what a wake-up that was lost left.

    Each process does so by its monotonic clock: a database or a machine whose clock was set back,
    or another worker that froze, cannot stop it.
    """
    while True:
        turns.asked.set()
        await asyncio.sleep(sweep.every_seconds)


async def _stop_with(stop: asyncio.Event, queue: QueueManager) -> None:
    await stop.wait()
    queue.shutdown.set()


async def install(url: str) -> None:
    """Create the queue engine's tables, or upgrade them to the installed version."""
    connection = await asyncpg.connect(url)
    try:
        queries = Queries(AsyncpgDriver(connection))
        if await queries.schema_is_installed():
            await queries.upgrade()
        else:
            await queries.install()
    finally:
        await connection.close()


async def is_installed(connection: AsyncConnection) -> bool:
    """Whether the queue engine's tables exist."""
    table = QueryBuilderEnvironment().settings.queue_table
    return bool(await connection.scalar(text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table}))


async def discard_wake_ups(sessions: Sessions) -> None:
    """Delete the wake-ups that wait, for a caller that is about to do all that is due now.

    Those that a worker has taken are left to it. Without this an installation that is swept by a
    timer alone would never delete a wake-up.
    """
    async with sessions.begin() as session:
        await session.execute(
            text(
                "DELETE FROM pgqueuer WHERE id IN"
                " (SELECT id FROM pgqueuer WHERE status = 'queued' AND execute_after <= now() FOR UPDATE SKIP LOCKED)"
            )
        )


async def queue_lag_seconds(sessions: Sessions) -> float:
    """Seconds that the oldest wake-up not yet taken by a worker has waited; 0 where none waits."""
    async with sessions() as session:
        lag = await session.scalar(
            text(
                "SELECT extract(epoch FROM max(now() - execute_after)) FROM pgqueuer WHERE status = 'queued' AND execute_after <= now()"
            )
        )
        return float(lag or 0)
