import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pgqueuer.db import AsyncpgPoolDriver
from sqlalchemy import text

from app.base import clock, due
from app.base.due import run_by_brand, run_until_idle, run_worker, sweep_once, wake, wake_for
from app.base.turns import Sweep

NOW = datetime(2026, 3, 10, tzinfo=UTC)


def counting(left: dict[int, int], log: list[int]) -> Sweep:
    """A sweep over brands with so many batches left each."""

    async def brands(_now: datetime) -> list[int]:
        return [brand for brand, batches in left.items() if batches]

    async def work(brand: int, _now: datetime) -> int:
        if left[brand] == 0:
            return 0
        left[brand] -= 1
        log.append(brand)
        return 1

    return Sweep("room", brands, work, every_seconds=60)


async def test_brands_take_turns_so_a_large_one_starves_nobody():
    log: list[int] = []
    assert await sweep_once(counting({1: 4, 2: 1, 3: 2}, log), NOW) == 7
    assert log == [1, 2, 3, 1, 3, 1, 1]


async def test_a_brand_that_breaks_does_not_hold_up_the_others():
    done: list[int] = []

    async def brands(_now: datetime) -> list[int]:
        return [1, 2]

    async def work(brand: int, _now: datetime) -> int:
        if brand == 1:
            raise RuntimeError("broken")
        done.append(brand)
        return 1 if len(done) < 3 else 0

    with pytest.raises(RuntimeError, match="broken"):
        await sweep_once(Sweep("room", brands, work), NOW)
    assert done == [2, 2, 2]


async def test_a_brand_that_comes_while_others_are_worked_off_has_its_turn_too():
    left, log = {1: 4}, []
    inner = counting(left, log)

    async def work(brand: int, now: datetime) -> int:
        left.setdefault(2, 1)
        return await inner.work(brand, now)

    assert await sweep_once(Sweep("room", inner.brands, work), NOW) == 5
    assert log == [1, 1, 2, 1, 1]


async def test_a_long_sweep_reads_the_clock_for_each_batch():
    times = iter(datetime(2026, 3, 10, hour, tzinfo=UTC) for hour in range(10))
    seen: list[int] = []

    async def brands(now: datetime) -> list[int]:
        return [1] if now.hour < 4 else []

    async def work(_brand: int, now: datetime) -> int:
        seen.append(now.hour)
        return 1

    await due.sweep_by(Sweep("room", brands, work), lambda: next(times))
    assert seen == [1, 3]


async def test_sweeps_are_repeated_until_a_whole_round_moves_nothing():
    log: list[int] = []
    left = {1: 2}
    assert await run_until_idle([counting(left, log), counting({5: 1}, log)], NOW) == {"room": 3}


async def test_who_works_off_all_that_is_due_takes_the_wake_ups_that_wait(context):
    async with context.sessions.begin() as session:
        await wake(session, "room", "other")
    await due.discard_wake_ups(context.sessions)
    assert await due.queue_lag_seconds(context.sessions) == 0
    async with context.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer")) == 0


async def test_a_wake_up_exists_if_and_only_if_its_transaction_is_committed(context):
    readings, first = 0, 1_000_000
    swept = asyncio.Event()

    async def brands(_now: datetime) -> list[int]:
        nonlocal readings
        readings += 1
        if readings > first:
            swept.set()
        return []

    async def work(_brand: int, _now: datetime) -> int:
        return 0

    async with context.sessions() as session:
        await wake(session, "room")
        await session.rollback()
    async with context.sessions() as session:
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer")) == 0
    stop, ready = asyncio.Event(), asyncio.Event()
    worker = asyncio.create_task(
        run_worker(context.database_url, [Sweep("room", brands, work, every_seconds=59)], stop, ready=ready)
    )
    try:
        await ready.wait()
        await asyncio.sleep(0.2)
        first = readings
        async with context.sessions.begin() as session:
            await wake(session, "room")
        await asyncio.wait_for(swept.wait(), 20)
        assert await due.queue_lag_seconds(context.sessions) < 20
    finally:
        stop.set()
        await worker


@pytest.mark.parametrize("with_queue", [True, False])
async def test_a_wake_up_for_a_brand_reaches_its_sweep_without_a_job_or_a_search(context, with_queue):
    worked: list[int] = []
    searched, called = asyncio.Event(), asyncio.Event()

    async def brands(_now: datetime) -> list[int]:
        searched.set()
        return []

    async def work(brand: int, _now: datetime) -> int:
        worked.append(brand)
        called.set()
        return 0

    sweep, stop = Sweep("room", brands, work, every_seconds=59, by_brand=True), asyncio.Event()
    url, listens = (
        context.database_url,
        text("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%room%'"),
    )
    worker = asyncio.create_task(
        run_worker(url, [sweep], stop) if with_queue else run_by_brand(url, sweep, stop)
    )
    try:
        await asyncio.wait_for(searched.wait(), 20)
        async with context.sessions() as session, asyncio.timeout(20):
            while not await session.scalar(listens):
                await session.rollback()
                await asyncio.sleep(0.01)
            await wake_for(session, "room", 6)
            await session.rollback()
            await wake_for(session, "room", 7)
            await session.commit()
            assert await session.scalar(text("SELECT count(*) FROM pgqueuer")) == 0
        await asyncio.wait_for(called.wait(), 20)
    finally:
        stop.set()
        await worker
    assert worked == [7]


async def test_a_worker_whose_clock_was_set_back_goes_on_sweeping(context, monkeypatch):
    times: list[datetime] = []
    thrice = asyncio.Event()

    async def brands(now: datetime) -> list[int]:
        times.append(now)
        if len(times) == 3:
            thrice.set()
        return []

    async def work(_brand: int, _now: datetime) -> int:
        return 0

    wall = iter([NOW, *(NOW - timedelta(days=400) for _ in range(1000))])
    monkeypatch.setattr(clock, "now", lambda: next(wall))
    async with context.sessions.begin() as session:
        await session.execute(text("UPDATE pgqueuer_schedules SET next_run = now() + interval '400 days'"))
    stop = asyncio.Event()
    worker = asyncio.create_task(
        run_worker(context.database_url, [Sweep("room", brands, work, every_seconds=1)], stop)
    )
    try:
        await asyncio.wait_for(thrice.wait(), 20)
    finally:
        stop.set()
        await worker
    assert times[0] > times[1]


@pytest.mark.slow
async def test_a_worker_whose_listener_comes_late_stays(context, monkeypatch):
    listen = AsyncpgPoolDriver.add_listener

    async def late(*arguments):
        await asyncio.sleep(0.5)
        await listen(*arguments)

    monkeypatch.setattr(AsyncpgPoolDriver, "add_listener", late)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(context.database_url, [counting({}, [])], stop))
    await asyncio.wait({worker}, timeout=11.5)
    assert not worker.done(), "its first probe was sent before it listened, and lost"
    stop.set()
    await worker
