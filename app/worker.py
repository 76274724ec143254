"""Runs the sweeps of all packages, woken by the queue and on schedule."""

import asyncio
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from multiprocessing.context import SpawnProcess
from types import FrameType

import uvloop

import app.models  # noqa: F401  # registers every table and message template
from app.admin import alarm_sweep, bulk_sweep, digest
from app.base import due, outbox
from app.base.config import Settings, load_settings
from app.base.db import WORKER
from app.base.embedded import start_embedded
from app.base.errors import AppError
from app.base.log import configure_logs, logger
from app.base.memory import tune_garbage_collector
from app.base.parent import when_parent_dies
from app.base.pools import Pools, worker_pools
from app.base.precedence import Precedence
from app.base.turns import Sweep
from app.checkout import expire as credit_reservations
from app.customers import journal_sweep
from app.ingest import erase_sweep, fetch, import_sweep, process, retain, sync_sweep
from app.insight import roll
from app.messaging import send_sweeps
from app.messaging.queue import URGENT_SWEEP_NAME
from app.messaging.rules import Priority
from app.platforms import check_sweep
from app.referrals import expire as rewards
from app.referrals import figures, settle
from app.referrals.placing import sweep as place_rewards
from app.referrals.publishing import code_check, upkeep
from app.referrals.publishing import sweep as publish
from app.referrals.shop_credit import sweep as shop_credit
from app.surveys import replied
from app.surveys import sweep as surveys
from app.wiring import Parts, open_parts

log = logger(__name__)

RESTART_SECONDS = 2.0
"""A worker process that died is restarted after this long."""
SWITCH_SECONDS = 0.001
"""The longest that a thread of a worker computes while another one wants to, steps in C aside."""


def sweeps_of(parts: Parts) -> list[Sweep]:
    """Every package's sweep, in the order in which a delivery passes through them."""
    context = parts.context
    return [
        process.sweep(context),
        fetch.sweep(context),
        check_sweep.sweep(context),
        sync_sweep.sweep(context),
        import_sweep.sweep(context),
        erase_sweep.sweep(context),
        surveys.sweep(context),
        replied.sweep(context),
        settle.sweep(context),
        bulk_sweep.sweep(context),
        credit_reservations.sweep(context),
        rewards.sweep(context),
        place_rewards.sweep(context),
        shop_credit.sweep(context),
        publish.urgent_sweep(context),
        publish.sweep(context),
        upkeep.sweep(context),
        code_check.sweep(context),
        figures.sweep(context),
        send_sweeps.urgent_sweep(context, parts.providers, parts.own_providers),
        send_sweeps.sweep(context, parts.providers, parts.own_providers, priorities=(Priority.normal,)),
        retain.sweep(context),
        outbox.sweep(context.sessions, outbox.CONSUMERS),
        journal_sweep.sweep(context),
        alarm_sweep.sweep(context),
        alarm_sweep.calls_sweep(context),
        digest.sweep(context),
        roll.sweep(context),
    ]


async def work(
    parts: Parts, stop: asyncio.Event, *, ready: asyncio.Event | None = None, without: Collection[str] = ()
) -> None:
    """Work until `stop` is set; after losing the database it waits and connects again.

    The embedded one is started again where it died. The sweeps named in `without` run elsewhere.
    """
    while not stop.is_set():
        try:
            await due.run_worker(
                parts.context.database_url,
                [sweep for sweep in sweeps_of(parts) if sweep.name not in without],
                stop,
                ready=ready,
                connections=parts.queue_connections,
            )
        except Exception:
            log.exception("the worker lost its database; trying again")
            try:
                await asyncio.wait_for(stop.wait(), RESTART_SECONDS)
            except TimeoutError:
                await _restart_embedded(parts.context.settings)


async def _restart_embedded(settings: Settings) -> None:
    if settings.embedded:
        try:
            await asyncio.to_thread(start_embedded, settings.home)
        except AppError as error:
            log.warning("the embedded database cannot be started", error=error.detail)


@asynccontextmanager
async def urgent_thread(settings: Settings, connections: int, precedence: Precedence) -> AsyncIterator[None]:
    """Send urgent messages for the time of the block, by a thread of their own.

    It has a loop, `connections` and clients of providers of its own, so a promoter's code waits for
    no step, connection, lock or call of bulk work. Python lets it run within `SWITCH_SECONDS`, and
    what gives way to `precedence` leaves it processors and database until it calls the provider.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    stop = asyncio.Event()
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    loop = runner.get_loop()

    def run() -> None:
        with runner:
            runner.run(_send_urgent(settings, connections, precedence, stop))

    thread = threading.Thread(target=run, name="urgent")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        await asyncio.to_thread(thread.join)


async def _send_urgent(
    settings: Settings, connections: int, precedence: Precedence, stop: asyncio.Event
) -> None:
    """Until `stop` is set; after losing the database it waits and connects again."""
    pools = Pools(connections - 1)
    while not stop.is_set():
        try:
            async with open_parts(settings, pools=pools, limits=WORKER, precedence=precedence) as parts:
                sweep = send_sweeps.urgent_sweep(parts.context, parts.providers, parts.own_providers)
                await due.run_by_brand(parts.context.database_url, sweep, stop)
        except Exception:
            log.exception("urgent messages lost their database; trying again")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RESTART_SECONDS)


async def _process(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    when_parent_dies(stop.set)
    tune_garbage_collector()
    pools = worker_pools(settings.database_pool)
    async with (
        open_parts(settings, pools=pools, limits=WORKER) as parts,
        urgent_thread(settings, pools.urgent, parts.context.precedence),
    ):
        await work(parts, stop, without=(URGENT_SWEEP_NAME,))


def run_process() -> None:
    """Run one worker process, from its settings to its end by SIGINT or SIGTERM."""
    settings = load_settings()
    configure_logs(settings.log_format)
    uvloop.run(_process(settings))


def run_processes(count: int) -> None:
    """Run `count` worker processes, each restarted when it dies, until SIGINT or SIGTERM.

    They end with this process too, however it ends.
    """
    if count == 1:
        run_process()
        return
    spawn = multiprocessing.get_context("spawn")
    children: list[SpawnProcess] = []
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for child in children:
            if child.is_alive():
                child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping:
        children[:] = [child for child in children if child.is_alive()]
        while len(children) < count and not stopping:
            child = spawn.Process(target=run_process, daemon=False)
            child.start()
            children.append(child)
        time.sleep(RESTART_SECONDS)
    for child in children:
        child.join()
