"""An offer goes out while the loop of a worker's bulk work does not run at all."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import asyncpg

from app.base import clock
from app.worker import urgent_thread
from tests.support.factories.referrals import make_referrer


async def _read(url: str, query: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


def until(url: str, query: str) -> int:
    """The number above 0 that the query returns at last; read in a thread, as this one stands."""
    read: Callable[[], int] = partial(lambda: asyncio.run(_read(url, query)))
    with ThreadPoolExecutor(1) as elsewhere:
        deadline = time.monotonic() + 30
        while not (found := elsewhere.submit(read).result()):
            assert time.monotonic() < deadline, query
            time.sleep(0.05)
    return found


async def test_an_offer_is_sent_while_bulk_work_holds_its_loop(context, brand, shop, database_url):
    async with urgent_thread(context.settings, 3, context.precedence):
        until(database_url, "SELECT count(*) FROM journal_positions")
        await make_referrer(context, brand, shop, now=clock.now())
        assert until(database_url, "SELECT count(*) FROM messages WHERE status = 'accepted'")
