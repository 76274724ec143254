import asyncio

import pytest

from app.insight.ttl_cache import LONGEST_SECONDS, TtlCache


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("took", "kept_for"), [(0.05, 0), (1.0, 30), (60.0, LONGEST_SECONDS)])
async def test_what_took_long_is_cached_for_long(took, kept_for):
    clock = Clock()
    kept, computed = TtlCache(clock), []

    async def compute():
        clock.now += took
        computed.append(clock.now)
        return len(computed)

    assert await kept.get("a", compute) == 1
    if kept_for:
        clock.now += kept_for - 0.01
        assert await kept.get("a", compute) == 1
        assert await kept.get("b", compute) == 2
    clock.now += kept_for + 0.02
    assert await kept.get("a", compute) > 1


async def test_who_asks_meanwhile_waits_and_does_not_gather_too():
    clock = Clock()
    kept, computed = TtlCache(clock), []

    async def compute():
        clock.now += 1
        await asyncio.sleep(0.01)
        computed.append(1)
        return "numbers"

    assert await asyncio.gather(*(kept.get("a", compute) for _ in range(5))) == ["numbers"] * 5
    assert len(computed) == 1


async def test_a_failure_is_not_cached():
    kept = TtlCache(Clock())

    async def fail():
        raise ValueError

    with pytest.raises(ValueError):
        await kept.get("a", fail)

    async def compute():
        return 1

    assert await kept.get("a", compute) == 1
