"""Runs the sweeps of all packages, woken by the queue and on schedule."""

import asyncio
import multiprocessing
import signal
import time
from multiprocessing.context import SpawnProcess
from types import FrameType

import uvloop

import app.models  # noqa: F401  # registers every table and message template
from app.base import due, outbox
from app.base.config import Settings, load_settings
from app.base.db import WORKER
from app.base.embedded import start_embedded
from app.base.errors import AppError
from app.base.log import configure_logs, logger
from app.base.memory import tune_garbage_collector
from app.base.parent import when_parent_dies
from app.base.pools import worker_pools
from app.base.turns import Sweep
from app.checkout import expire as credit_reservations
from app.customers import journal_sweep
from app.ingest import erase_sweep, fetch, process, retain, sync_sweep
from app.messaging import deliver
from app.platforms import check_sweep
from app.referrals import code_check, hold_sweep, place_rewards, publish, settle, upkeep
from app.referrals import expire as rewards
from app.surveys import sweep as surveys
from app.wiring import Parts, open_parts

log = logger(__name__)

RESTART_SECONDS = 2.0
"""A worker process that died is restarted after this long."""


def sweeps_of(parts: Parts) -> list[Sweep]:
    """Every package's sweep, in the order in which a delivery passes through them."""
    context = parts.context
    return [
        process.sweep(context),
        fetch.sweep(context),
        check_sweep.sweep(context),
        sync_sweep.sweep(context),
        erase_sweep.sweep(context),
        surveys.sweep(context),
        settle.sweep(context),
        credit_reservations.sweep(context),
        rewards.sweep(context),
        place_rewards.sweep(context),
        hold_sweep.sweep(context),
        publish.urgent_sweep(context),
        publish.sweep(context),
        upkeep.sweep(context),
        code_check.sweep(context),
        deliver.urgent_sweep(context, parts.providers, parts.own_providers),
        deliver.sweep(context, parts.providers, parts.own_providers),
        retain.sweep(context),
        outbox.sweep(context.sessions, outbox.CONSUMERS),
        journal_sweep.sweep(context),
    ]


async def work(parts: Parts, stop: asyncio.Event, *, ready: asyncio.Event | None = None) -> None:
    """Work until `stop` is set; after losing the database it waits and connects again.

    The embedded one is started again where it died.
    """
    while not stop.is_set():
        try:
            await due.run_worker(
                parts.context.database_url,
                sweeps_of(parts),
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


async def _process(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    when_parent_dies(stop.set)
    tune_garbage_collector()
    async with open_parts(settings, pools=worker_pools(settings.database_pool), limits=WORKER) as parts:
        await work(parts, stop)


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
