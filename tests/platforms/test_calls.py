"""Several calls of platforms beside each other."""

import asyncio

import pytest

from app.platforms.calls import call_side_by_side


async def test_calls_run_a_few_at_a_time_and_return_in_order():
    under_way, most = 0, 0

    async def call(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return number * 2

    assert await call_side_by_side(range(5), call, at_once=2, seconds=9) == [0, 2, 4, 6, 8]
    assert most == 2
    assert await call_side_by_side([], call, at_once=2, seconds=9) == []


async def test_a_late_call_is_cancelled_and_holds_up_no_other():
    cancelled = asyncio.Event()

    async def call(seconds: float) -> float:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return seconds

    assert await call_side_by_side([0.0, 60.0, 0.0], call, at_once=2, seconds=0.02) == [0.0, None, 0.0]
    assert cancelled.is_set()


async def test_a_call_that_fails_raises_once_the_others_have_ended():
    ended = []

    async def call(number: int) -> None:
        if number == 0:
            raise ValueError("broke")
        await asyncio.sleep(0.01)
        ended.append(number)

    with pytest.raises(ValueError, match="broke"):
        await call_side_by_side(range(3), call, at_once=3, seconds=9)
    assert ended == [1, 2]
