"""A cache of computed values; what took longer to compute is kept for longer."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from app.base import clock

T = TypeVar("T")

_TIMES = 30
"""A value is kept this many times as long as it took to compute, so that at most a thirtieth of the
time is spent on computing it."""
LONGEST_SECONDS = 300.0
"""The longest time that a value is kept."""
_MOST = 256
"""Keys at most; the one not read for longest is dropped."""


@dataclass
class _Entry(Generic[T]):
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    value: T | None = None
    until: float = 0.0


class TtlCache(Generic[T]):
    """Computed values by key, in the memory of one process.

    A value that took 200 ms is computed again after 6 s, one that took 5 s after 2.5 minutes. A
    caller who comes while a value is being computed waits for it and does not compute it too.
    """

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()

    async def get(self, key: Hashable, compute: Callable[[], Awaitable[T]], *, at_least: float = 0.1) -> T:
        """The kept value, or else what `compute` returns now.

        A value that took less than `at_least` seconds is not kept.
        """
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        async with entry.lock:
            began = self._monotonic()
            if entry.value is not None and began < entry.until:
                return entry.value
            value = await compute()
            now = self._monotonic()
            took = now - began
            kept_for = min(took * _TIMES, LONGEST_SECONDS) if took >= at_least else 0.0
            entry.value, entry.until = value, now + kept_for
            return value
