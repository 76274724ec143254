"""Read what webhooks missed: a shop's orders from its platform, page by page.

Pages are read outside of any transaction; what they hold is applied in batches, each in one
transaction with where the next page begins. An order comes as its webhook would, so what is known
already changes nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import aiohttp

from app.base import clock
from app.base.context import AppContext
from app.base.errors import AppError, Fault, OutsideError
from app.base.ids import new_id
from app.base.retry import retry_conflicts
from app.brands.find import load_shops
from app.brands.models import Shop
from app.ingest.backfill import BackfillItem, Statistics, give_way, record_backfill
from app.ingest.store import NewDelivery, store_failed
from app.ingest.sync_read import FetchedOrders, PageReader
from app.ingest.sync_rows import (
    NOT_CONNECTED,
    TAKEN,
    ClaimedSync,
    Counts,
    finish,
    keep,
    night_after,
    release,
    write_batch,
)
from app.platforms.calls import open_platform_session
from app.platforms.connection_types import Connection
from app.platforms.connections import load_connections

WAITS = "Another process had locked its rows; replay it."
CALL_SECONDS = 30.0
KEEP_SECONDS = 30.0
"""A claim is renewed after this, where the pages of one batch take longer."""
BUSY = timedelta(seconds=10)
"""How long a platform that is asked too much is left alone, where it does not say."""
OUTAGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """What the run has come to in this process."""

    counts: Counts
    reached: datetime | None
    """When the last order that was read was changed."""


class Synchronisation:
    """One claimed run, as far as this process does it."""

    def __init__(self, context: AppContext, shop: Shop, connection: Connection, claimed: ClaimedSync) -> None:
        self._context = context
        self._shop = shop
        self._claimed = claimed
        self._pages = PageReader(context.tokens, shop, connection, claimed.since)
        self._kept_at = clock.monotonic()
        self.counts = Counts()
        self.reached: datetime | None = None
        self._cursor = claimed.cursor
        self._statistics = Statistics()

    async def wait(self, pause: timedelta, *, now: datetime) -> None:
        """Leave the platform alone for this long, and keep the claim meanwhile."""
        end = clock.monotonic() + pause.total_seconds()
        while (left := end - clock.monotonic()) > 0:
            await asyncio.sleep(min(left, KEEP_SECONDS))
            await self._keep(now)

    async def run(
        self,
        http: aiohttp.ClientSession,
        *,
        now: datetime,
        seconds: float | None = None,
        progress: Callable[[SyncProgress], None] | None = None,
    ) -> bool:
        """Work until all is read, or for so many seconds; returns whether all is.

        The next batch is read while one is applied. Raises `OutsideError`, and `AppError`
        (`sync_taken`) where another process has claimed it meanwhile.
        """
        deadline = None if seconds is None else clock.monotonic() + seconds
        ahead = asyncio.create_task(self._fetch(http, self._cursor, now))
        try:
            while True:
                fetched = await ahead
                is_over = deadline is not None and clock.monotonic() >= deadline
                if not fetched.is_last and not is_over:
                    ahead = asyncio.create_task(self._fetch(http, fetched.cursor, now))
                counts = await retry_conflicts(partial(self._apply, fetched, now), name="sync")
                await self._statistics.after_batch(self._context, new=counts.new)
                await give_way(self._context, self._shop.brand_id, now=now)
                self.reached = fetched.reached or self.reached
                if progress is not None:
                    progress(SyncProgress(self.counts, self.reached))
                if fetched.is_last or is_over:
                    return fetched.is_last
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _fetch(self, http: aiohttp.ClientSession, cursor: str | None, now: datetime) -> FetchedOrders:
        return await self._pages.read(http, cursor, after_page=lambda: self._keep(now), now=now)

    async def _keep(self, now: datetime) -> None:
        if clock.monotonic() - self._kept_at < KEEP_SECONDS:
            return
        async with self._context.sessions.begin() as session:
            if not await keep(session, self._claimed, now=max(now, clock.now())):
                raise taken()
        self._kept_at = clock.monotonic()

    async def _apply(self, fetched: FetchedOrders, now: datetime) -> Counts:
        """All of the batch and where the next one begins, or nothing; returns what it came to."""
        items = {new_id(): place for place, events in enumerate(fetched.events) if events}
        failures = list(fetched.failures)
        async with self._context.sessions.begin() as session:
            result = await record_backfill(
                session,
                self._context.tokens,
                self._shop.brand_id,
                self._shop.id,
                [BackfillItem(item_id, fetched.events[place]) for item_id, place in items.items()],
                history=self._claimed.history,
                now=now,
            )
            failures += [(fetched.bodies[items[each]], reason) for each, reason in result.failed.items()]
            waits = items.keys() - result.done - result.failed.keys()
            failures += [(fetched.bodies[items[each]], WAITS) for each in waits]
            await store_failed(
                session, [self._delivery(fetched.topic, *each, now) for each in failures], now=now
            )
            counts = Counts(len(fetched.bodies), result.new, result.known, len(failures))
            if not await write_batch(
                session, self._claimed, fetched.cursor, counts, now=max(now, clock.now())
            ):
                raise taken()
        self._kept_at = clock.monotonic()
        self._cursor = fetched.cursor
        self.counts = Counts(
            self.counts.orders + counts.orders,
            self.counts.new + counts.new,
            self.counts.known + counts.known,
            self.counts.failed + counts.failed,
        )
        return counts

    def _delivery(self, topic: str, body: bytes, reason: str, now: datetime) -> tuple[NewDelivery, str]:
        delivery = NewDelivery(self._shop.brand_id, self._shop.id, self._shop.platform, topic, "", body, now)
        return replace(delivery, external_id=f"sync:{delivery.body_hash.hex()}"), reason


def taken() -> AppError:
    """The error of a run that belongs to another process."""
    return AppError("sync_taken", TAKEN, status=409)


async def open_synchronisation(context: AppContext, claimed: ClaimedSync) -> Synchronisation:
    """The claimed run with its connection. Raises `AppError` (`not_connected`)."""
    async with context.sessions() as session:
        shops = await load_shops(session, claimed.brand_id)
        connections = await load_connections(session, context.tokens, claimed.brand_id, [claimed.shop_id])
    if claimed.shop_id not in connections:
        raise AppError("not_connected", NOT_CONNECTED, status=404)
    return Synchronisation(context, shops[claimed.shop_id], connections[claimed.shop_id], claimed)


def pause_after(error: OutsideError) -> timedelta | None:
    """How long to wait before going on; None: until somebody corrects what is wrong."""
    if error.fault is Fault.busy:
        return max(BUSY, timedelta(seconds=error.retry_after or 0))
    return OUTAGE if error.fault is Fault.outage else None


async def sync_due(context: AppContext, claimed: ClaimedSync, *, now: datetime, seconds: float) -> None:
    """Work on a claimed run for some seconds, then leave it with the time at which it goes on."""
    try:
        work = await open_synchronisation(context, claimed)
        async with open_platform_session(context.settings, connections=2, total_seconds=CALL_SECONDS) as http:
            is_done = await work.run(http, now=now, seconds=seconds)
    except OutsideError as error:
        await _leave(context, claimed, pause_after(error), error.reason, now=now)
        return
    except AppError as error:
        if error.code == "sync_taken":
            return
        raise
    async with context.sessions.begin() as session:
        if is_done:
            shop = (await load_shops(session, claimed.brand_id))[claimed.shop_id]
            await finish(session, claimed, due_at=night_after(shop, now), now=now)
        else:
            await release(session, claimed, due_at=now)


async def _leave(
    context: AppContext, claimed: ClaimedSync, pause: timedelta | None, problem: str, *, now: datetime
) -> None:
    async with context.sessions.begin() as session:
        shop = (await load_shops(session, claimed.brand_id))[claimed.shop_id]
        due_at = night_after(shop, now) if pause is None else now + pause
        await release(session, claimed, due_at=due_at, problem=problem)


async def sync_now(
    context: AppContext,
    claimed: ClaimedSync,
    *,
    now: Callable[[], datetime],
    progress: Callable[[SyncProgress], None] | None = None,
) -> SyncProgress:
    """Work on a claimed run until all is read; returns what it came to.

    Waits where the platform is asked too much. Raises `OutsideError` where it fails otherwise, and
    the run is left to the workers or to the next call.
    """
    work = await open_synchronisation(context, claimed)
    async with open_platform_session(context.settings, connections=2, total_seconds=CALL_SECONDS) as http:
        while True:
            try:
                await work.run(http, now=now(), progress=progress)
                break
            except OutsideError as error:
                pause = pause_after(error)
                if error.fault is not Fault.busy or pause is None:
                    await _leave(context, claimed, pause, error.reason, now=now())
                    raise
                await work.wait(pause, now=now())
            except BaseException:
                async with context.sessions.begin() as session:
                    await release(session, claimed, due_at=now())
                raise
    async with context.sessions.begin() as session:
        shop = (await load_shops(session, claimed.brand_id))[claimed.shop_id]
        await finish(session, claimed, due_at=night_after(shop, now()), now=now())
    return SyncProgress(work.counts, work.reached)
