"""Bulk work gives way to urgent work of the same process, for a bounded time."""

import asyncio
import threading

import pytest

from app.base import precedence
from app.base.precedence import PIECE, Precedence, in_pieces


async def test_bulk_work_waits_until_all_urgent_work_has_ended() -> None:
    order: list[str] = []
    between = Precedence()

    async def bulk() -> None:
        await between.give_way()
        order.append("bulk")

    with between.urgent():
        waiting = asyncio.create_task(bulk())
        with between.urgent():
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        order.append("urgent")
    await waiting
    assert order == ["urgent", "bulk"]
    await between.give_way()


async def test_bulk_work_waits_for_urgent_work_of_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST_SECONDS", 30)
    between, ended = Precedence(), threading.Event()
    begun = threading.Event()

    def urgent() -> None:
        with between.urgent():
            begun.set()
            ended.wait(30)

    thread = threading.Thread(target=urgent)
    thread.start()
    begun.wait(30)
    bulk = asyncio.create_task(between.give_way())
    done, _ = await asyncio.wait([bulk], timeout=0.02)
    assert not done
    ended.set()
    await asyncio.wait_for(bulk, 10)
    thread.join()


async def test_urgent_work_that_never_ends_does_not_stop_bulk_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST_SECONDS", 0.01)
    between = Precedence()
    with between.urgent():
        for _ in range(3):
            bulk = asyncio.create_task(between.give_way())
            done, _ = await asyncio.wait([bulk], timeout=30)
            assert done == {bulk}


async def test_bulk_work_that_waited_does_not_wait_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precedence, "LONGEST_SECONDS", 0.05)
    between = Precedence()
    loop = asyncio.get_running_loop()
    with between.urgent():
        began = loop.time()
        await between.give_way()
        waited = loop.time()
        for _ in range(20):
            await between.give_way()
        assert loop.time() - waited < 20 * 0.05 / 2
        await asyncio.sleep(2 * (waited - began))
        again = loop.time()
        await between.give_way()
        assert loop.time() - again >= 0.04


async def test_giving_way_lets_other_tasks_run() -> None:
    ran = asyncio.Event()
    task = asyncio.create_task(asyncio.sleep(0, result=None))
    task.add_done_callback(lambda _: ran.set())
    for _ in range(3):
        await Precedence().give_way()
    assert ran.is_set()


async def test_other_tasks_run_between_the_pieces_of_bulk_work():
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    beating = asyncio.create_task(beat())
    items = range(3 * PIECE + 1)
    assert [item async for item in in_pieces(items)] == list(items)
    beating.cancel()
    assert beats >= 3
