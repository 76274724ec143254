"""Urgent work of a process goes before its bulk work, in one event loop or in several threads.

Tasks of one loop run in turn. Of two threads one computes at a time, and both wait for the same
processors and the same database.
"""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")

PIECE = 50
"""Items that bulk work handles before it gives way: well below a millisecond's worth or two."""
LONGEST_SECONDS = 0.1
"""The longest that bulk work waits at one place, so that constant urgent work cannot stop it."""


class Precedence:
    """Whether urgent work is under way in this process, and waiting for its end.

    Urgent and bulk work may be in different threads, each with a loop of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._free_until = -math.inf
        """Until then bulk work does not wait, by the loops' clock, which is the process's."""
        self._waiting: set[asyncio.Future[None]] = set()

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Urgent work for the time of the block, which should not wait for the outside."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                ended = [] if self._under_way else list(self._waiting)
            for each in ended:
                # A loop that is closed waits for nothing.
                with suppress(RuntimeError):
                    each.get_loop().call_soon_threadsafe(_end, each)

    async def give_way(self) -> None:
        """Let other tasks run; wait for urgent work to end, at most `LONGEST_SECONDS`.

        After a wait none follows for as long as it took: whatever is urgent, bulk work has half of
        the time.
        """
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not self._under_way or began < self._free_until:
            return
        ended = loop.create_future()
        with self._lock:
            if not self._under_way:
                return
            self._waiting.add(ended)
        try:
            await asyncio.wait([ended], timeout=LONGEST_SECONDS)
        finally:
            until = loop.time()
            with self._lock:
                self._waiting.discard(ended)
                self._free_until = max(self._free_until, 2 * until - began)


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def in_pieces(items: Collection[T]) -> AsyncIterator[T]:
    """The items, with other tasks of the process run after each `PIECE` of them.

    For bulk work within a transaction, which holds locks and so waits for no urgent work to end.
    """
    for place, item in enumerate(items, start=1):
        yield item
        if place % PIECE == 0:
            await asyncio.sleep(0)
