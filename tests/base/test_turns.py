"""Brands side by side: one that hangs, fails or is busy elsewhere holds up no other."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.base import turns
from app.base.due import sweep_once
from app.base.turns import BRANDS_AT_ONCE, Busy, Sweep, Turns

NOW = datetime(2026, 3, 10, tzinfo=UTC)


class Work:
    """Brands with so many batches left each, and what happens in a batch of one of them."""

    def __init__(self, left: dict[int, int]) -> None:
        self.left = defaultdict(int, left)
        self.done: Counter[int] = Counter()
        self.gates: dict[int, asyncio.Event] = {}
        self.faults: dict[int, list[Exception]] = defaultdict(list)
        self.beside = self.most_beside = 0
        self.sweep = Sweep("room", self._brands, self._work)

    async def _brands(self, _now: datetime) -> list[int]:
        return [brand for brand, batches in self.left.items() if batches]

    async def _work(self, brand: int, _now: datetime) -> int:
        self.beside += 1
        self.most_beside = max(self.most_beside, self.beside)
        try:
            await asyncio.sleep(0)
            if brand in self.gates:
                await self.gates[brand].wait()
            if self.faults[brand]:
                raise self.faults[brand].pop(0)
            if self.left[brand] == 0:
                return 0
            self.left[brand] -= 1
            self.done[brand] += 1
            return 1
        finally:
            self.beside -= 1


async def until(is_so) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110  # what is asked for sets no event
            await asyncio.sleep(0.005)


async def lasting(work: Work) -> tuple[Turns, asyncio.Task[None]]:
    made = Turns(work.sweep, lambda: NOW, lasting=True)
    return made, asyncio.create_task(made.run())


async def test_a_batch_that_hangs_holds_up_its_own_brand_alone():
    work = Work({1: 1, 2: 20, 3: 20})
    work.gates[1] = asyncio.Event()
    sweeping = asyncio.create_task(sweep_once(work.sweep, NOW))
    await until(lambda: work.done == {2: 20, 3: 20})
    work.gates[1].set()
    assert await sweeping == 41


async def test_few_brands_are_worked_on_side_by_side():
    work = Work(dict.fromkeys(range(20), 2))
    assert await sweep_once(work.sweep, NOW) == 40
    assert work.most_beside == BRANDS_AT_ONCE


async def test_a_sweep_may_have_several_batches_of_one_brand_side_by_side():
    work = Work({1: 5})
    work.sweep = replace(work.sweep, at_once=6, of_brand=2)
    work.gates[1] = asyncio.Event()
    made, running = await lasting(work)
    for beside in (1, 2, 2):
        made.asked.set()
        await until(lambda wanted=beside: work.beside == wanted and not made.asked.is_set())
    work.gates[1].set()
    await until(lambda: work.done == {1: 5})
    made.stop()
    await running
    assert work.most_beside == 2


async def test_a_wake_up_is_served_while_a_brand_hangs():
    work = Work({1: 1})
    work.gates[1] = asyncio.Event()
    made, running = await lasting(work)
    await until(lambda: work.beside == 1)
    work.left[2] = 1
    made.asked.set()
    await until(lambda: work.done[2] == 1)
    work.gates[1].set()
    made.stop()
    await running
    assert work.done == {1: 1, 2: 1}


async def test_who_stops_finishes_what_is_in_progress_and_begins_nothing():
    work = Work({1: 5})
    work.gates[1] = asyncio.Event()
    made, running = await lasting(work)
    await until(lambda: work.beside == 1)
    made.stop()
    work.gates[1].set()
    await running
    assert work.done == {1: 1}


async def test_a_brand_that_another_process_works_on_is_waited_for():
    work = Work({1: 1, 2: 2})
    work.faults[1] = [Busy(1), Busy(1)]
    assert await sweep_once(work.sweep, NOW) == 3


async def test_a_process_that_never_ends_is_waited_for_until_a_limit(monkeypatch):
    monkeypatch.setattr(turns, "BUSY_TIMEOUT_SECONDS", 0.2)
    work = Work({1: 1, 2: 2})
    work.faults[1] = [Busy(1)] * 1000
    with pytest.raises(Busy, match="brand 1"):
        await sweep_once(work.sweep, NOW)
    assert work.done == {2: 2}


async def test_a_brand_that_failed_is_tried_again_after_a_while(monkeypatch):
    monkeypatch.setattr(turns, "FAILED_SECONDS", (0.05, 0.1))
    work = Work({1: 1, 2: 3})
    work.faults[1] = [RuntimeError("broken"), RuntimeError("broken")]
    made, running = await lasting(work)
    await until(lambda: work.done[2] == 3)
    assert work.done[1] == 0
    await until(lambda: work.done[1] == 1)
    made.stop()
    await running


async def test_a_reading_that_fails_ends_a_single_sweep_and_no_worker():
    work = Work({1: 1})
    readings = iter([RuntimeError("away")])

    async def brands(now: datetime) -> list[int]:
        for error in readings:
            raise error
        return await work._brands(now)

    work.sweep = Sweep("room", brands, work._work)
    made, running = await lasting(work)
    await asyncio.sleep(0.02)
    made.asked.set()
    await until(lambda: work.done[1] == 1)
    made.stop()
    await running
    readings = iter([RuntimeError("away")])
    with pytest.raises(RuntimeError, match="away"):
        await sweep_once(work.sweep, NOW)


async def test_who_is_cancelled_leaves_nothing_running():
    work = Work({1: 1})
    work.gates[1] = asyncio.Event()
    sweeping = asyncio.create_task(sweep_once(work.sweep, NOW))
    await until(lambda: work.beside == 1)
    sweeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
    assert work.beside == 0


async def test_a_brand_that_a_wake_up_names_waits_neither_for_a_search_nor_for_other_brands():
    work, searching = Work({1: 1}), asyncio.Event()
    work.gates[1] = asyncio.Event()
    ends = asyncio.Event()

    async def brands(_now: datetime) -> list[int]:
        if work.beside:
            searching.set()
            await ends.wait()
        return [1] if work.left[1] and not work.beside else []

    work.sweep = replace(work.sweep, brands=brands, at_once=3, of_brand=2, by_brand=True)
    made, running = await lasting(work)
    await until(lambda: work.beside == 1)
    made.asked.set()
    await searching.wait()
    work.left[2] = 1
    made.ask_for(2)
    await until(lambda: work.done[2] == 1)
    ends.set()
    work.gates[1].set()
    made.stop()
    await running
    assert work.done == {1: 1, 2: 1}


async def test_a_brand_named_while_as_many_batches_run_as_may_has_its_turn_after_one_of_them():
    work = Work({1: 1})
    work.gates[1] = asyncio.Event()

    async def brands(_now: datetime) -> list[int]:
        return [1] if not work.beside and not work.done else []

    work.sweep = replace(work.sweep, brands=brands, at_once=2, by_brand=True)
    made, running = await lasting(work)
    await until(lambda: work.beside == 1)
    work.left[1] += 1
    made.ask_for(1)
    await asyncio.sleep(0.01)
    assert work.beside == 1
    work.gates[1].set()
    await until(lambda: work.done[1] == 2)
    made.stop()
    await running


async def test_a_sweep_woken_by_brand_is_not_searched_after_each_batch_but_after_a_large_one():
    searches, moved = 0, iter([1, turns.MANY])

    async def brands(_now: datetime) -> list[int]:
        nonlocal searches
        searches += 1
        return []

    async def work(_brand: int, _now: datetime) -> int:
        return next(moved)

    made = Turns(Sweep("room", brands, work, by_brand=True), lambda: NOW, lasting=True)
    running = asyncio.create_task(made.run())
    await until(lambda: searches == 1)
    made.ask_for(1)
    await until(lambda: made.moved == 1)
    await asyncio.sleep(0.01)
    assert searches == 1
    made.ask_for(1)
    await until(lambda: searches == 2)
    made.stop()
    await running
