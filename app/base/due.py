"""Due work: the rows with a due time are the truth, PGQueuer wakes the workers that process them.

A package offers a `Sweep`. A wake-up is a job "run this sweep", written through the session's own
connection, so it exists if and only if the rows do. It carries no deduplication key: two
transactions with the same key would wait for each other, and two sweeps in opposite order would
deadlock. A sweep that finds nothing ends at once, so an unneeded wake-up costs little. Every sweep
also runs on a schedule, which finds what became due by time alone and what a lost wake-up left.

Only this file and `app/worker.py` know the queue engine.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job, Schedule
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.base import clock
from app.base.db import Sessions
from app.base.log import logger

log = logger(__name__)


@dataclass(frozen=True)
class Sweep:
    """How one package processes what is due.

    `brands` returns the brands with due rows at a time. `work` does one batch of one brand: it
    claims, acts and commits by itself and returns how many rows it advanced; 0 means that nothing
    of the brand is left that it could claim now. So brands take turns, and one brand's million rows
    cannot delay another brand's offer.
    """

    name: str
    brands: Callable[[datetime], Awaitable[Sequence[int]]]
    work: Callable[[int, datetime], Awaitable[int]]
    every_seconds: int = 5


async def wake(session: AsyncSession, *names: str) -> None:
    """Ask for these sweeps to run as soon as the session's transaction is committed."""
    connection = await session.connection()
    count = len(names)
    nothing: list[None] = [None] * count
    values = ([0] * count, list(names), nothing, [timedelta(0)] * count, nothing, ["{}"] * count)
    await connection.exec_driver_sql(_ENQUEUE, values)


_ENQUEUE = QueryQueueBuilder().build_enqueue_query()


async def sweep_once(sweep: Sweep, now: datetime) -> int:
    """Do all that is due for one sweep at the time `now`; returns how many rows were advanced.

    As `sweep_by`, with a fixed time.
    """
    return await sweep_by(sweep, lambda: now)


async def sweep_by(sweep: Sweep, time: Callable[[], datetime]) -> int:
    """Do all that is due for one sweep, in turns of brands; returns how many rows were advanced.

    Each round reads again which brands have something due, and each batch the time: a long sweep
    neither delays a brand that came later nor decides by an old time. A brand whose batch fails is
    left out, and the first such error is raised once the others are done.
    """
    total = 0
    broken: dict[int, Exception] = {}
    moved = True
    while moved:
        moved = False
        for brand_id in await sweep.brands(time()):
            if brand_id in broken:
                continue
            try:
                count = await sweep.work(brand_id, time())
            except Exception as failure:  # noqa: BLE001  # it is raised once the others had their turn
                broken[brand_id] = failure
                continue
            total += count
            moved = moved or count > 0
    for error in broken.values():
        raise error
    return total


async def run_until_idle(
    sweeps: Sequence[Sweep], now: datetime, *, report: Callable[[str, int], None] = lambda _name, _count: None
) -> dict[str, int]:
    """Run all sweeps as if it were `now`, until a whole round advances nothing.

    Returns the counts by sweep.
    """
    counts = {sweep.name: 0 for sweep in sweeps}
    moved = True
    while moved:
        moved = False
        for sweep in sweeps:
            count = await sweep_once(sweep, now)
            if count:
                moved = True
                counts[sweep.name] += count
                report(sweep.name, count)
    return counts


@dataclass
class _SweepRunner:
    """Runs one sweep at most once at a time in this process, with at most one more run waiting.

    Wake-ups that come while a run waits are dropped: the waiting run does their work.
    """

    sweep: Sweep
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: bool = False

    async def run(self) -> None:
        if self.waiting:
            return
        self.waiting = True
        async with self.lock:
            self.waiting = False
            try:
                await sweep_by(self.sweep, clock.now)
            except Exception:
                # The rows are still due; the next scheduled sweep processes them.
                log.exception("a sweep failed", name=self.sweep.name)


async def run_worker(
    url: str, sweeps: Sequence[Sweep], stop: asyncio.Event, *, ready: asyncio.Event | None = None
) -> None:
    """Sweep on wake-ups and on schedule until `stop` is set; the batches in progress finish first.

    Runs beside any number of other workers. Raises when the database is lost; the caller restarts
    it.
    """
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=2, max_size=6))
        queuer = PgQueuer(AsyncpgPoolDriver(pool))
        for sweep in sweeps:
            _register(queuer, _SweepRunner(sweep))
        stopper = asyncio.create_task(_stop_with(stop, queuer))
        stack.callback(stopper.cancel)
        if ready is not None:
            ready.set()
        await queuer.run(batch_size=20, dequeue_timeout=timedelta(seconds=5))


def _register(queuer: PgQueuer, runner: _SweepRunner) -> None:
    name = runner.sweep.name

    @queuer.entrypoint(name)
    async def on_wake_up(_job: Job) -> None:
        await runner.run()

    # Five fields of minutes and one of seconds: croniter's way to say "every N seconds".
    @queuer.schedule(f"sweep_{name}", f"* * * * * */{runner.sweep.every_seconds}")
    async def on_schedule(_schedule: Schedule) -> None:
        await runner.run()


async def _stop_with(stop: asyncio.Event, queuer: PgQueuer) -> None:
    await stop.wait()
    queuer.shutdown.set()


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
