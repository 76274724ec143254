"""How platforms are called: the HTTP session, whom it may reach, and several calls at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import aiohttp

from app.base.config import Settings
from app.base.http import open_session

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def open_platform_session(
    settings: Settings, *, connections: int, total_seconds: float
) -> aiohttp.ClientSession:
    """A session for calls to shops' platforms, whose addresses brands enter: see `open_session`.

    It reaches public addresses only; with `TENFOLD_LOCAL_PLATFORMS` also fakes on this machine.
    """
    return open_session(
        connections=connections, total_seconds=total_seconds, loopback=settings.local_platforms
    )


async def call_side_by_side(
    items: Sequence[_Item],
    call: Callable[[_Item], Awaitable[_Result]],
    *,
    at_once: int,
    seconds: float,
) -> list[_Result | None]:
    """The result of the call for each item, in their order; None for one that was late.

    At most `at_once` are under way beside each other. What has not ended after so many seconds is
    cancelled, so that no call is made beyond the lease of a claim. Raises the first failure, once
    all have ended.
    """
    turns = asyncio.Semaphore(at_once)

    async def one(item: _Item) -> _Result:
        async with turns:
            return await call(item)

    if not items:
        return []
    tasks = [asyncio.create_task(one(each)) for each in items]
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [None if task in late else task.result() for task in tasks]
