"""Urgent work of a process goes before its bulk work: tasks of one event loop run in turn."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

PIECE = 50
"""Items that bulk work handles before it gives way: well below a millisecond's worth or two."""
LONGEST_SECONDS = 0.1
"""The longest that bulk work waits at one place, so that constant urgent work cannot stop it."""


class Precedence:
    """Whether urgent work is under way in this process, and waiting for its end."""

    def __init__(self) -> None:
        self._under_way = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Urgent work for the time of the block, which should not wait for the outside."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                for each in self._waiting:
                    if not each.done():
                        each.set_result(None)

    async def give_way(self) -> None:
        """Let other tasks run; wait for urgent work to end, at most `LONGEST_SECONDS`."""
        await asyncio.sleep(0)
        if not self._under_way:
            return
        ended = asyncio.get_running_loop().create_future()
        self._waiting.add(ended)
        try:
            await asyncio.wait([ended], timeout=LONGEST_SECONDS)
        finally:
            self._waiting.discard(ended)


async def in_pieces(items: Collection[T]) -> AsyncIterator[T]:
    """The items, with other tasks of the process run after each `PIECE` of them.

    For bulk work within a transaction, which holds locks and so waits for no urgent work to end.
    """
    for place, item in enumerate(items, start=1):
        yield item
        if place % PIECE == 0:
            await asyncio.sleep(0)
