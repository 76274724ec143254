"""Numbers that took long to gather are kept for a while; quick ones are gathered anew each time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.base import clock

T = TypeVar("T")

_TIMES = 30
"""How many times longer than it took something is kept: at most a thirtieth of the time goes into
gathering."""
LONGEST_SECONDS = 300.0
_MOST = 256


@dataclass
class _Entry(Generic[T]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    value: T | None = None
    until: float = 0.0


class TtlCache(Generic[T]):
    """One process's memory of what was gathered, by key.

    What took 10 ms is fresh again after 0.3 s, what took 5 s after 2.5 minutes. Who asks while it
    is being gathered waits for it and does not gather too.
    """

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()

    async def get(self, key: Hashable, gather: Callable[[], Awaitable[T]], *, at_least: float = 0.1) -> T:
        """The kept value, or a freshly gathered one.

        What took less than `at_least` seconds is not kept at all.
        """
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        async with entry.lock:
            began = self._monotonic()
            if entry.value is not None and began < entry.until:
                return entry.value
            value = await gather()
            now = self._monotonic()
            took = now - began
            entry.value, entry.until = (
                value,
                now + (min(took * _TIMES, LONGEST_SECONDS) if took >= at_least else 0.0),
            )
            return value
