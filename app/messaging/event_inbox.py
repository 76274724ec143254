"""One process's inbox of provider events: those that come one by one are committed in groups."""

import asyncio
from collections import deque

from app.base import clock
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.log import logger
from app.base.retry import sqlstate_of
from app.messaging.provider_events import ParsedProviderEvent, record_provider_events

log = logger(__name__)

GROUP_ROWS = 500
WRITERS = 2
"""Brands whose groups are written side by side: as many as the pool has connections."""
WAITING_ROWS = 10_000
"""The most events that wait in memory."""
COMMIT_SECONDS = 10.0
"""After that an event is not acknowledged."""

_OF_ONE_ROW = ("22", "23")
"""Classes of errors about one row's values: data exceptions, and broken constraints."""
_Waiting = tuple[ParsedProviderEvent, asyncio.Future[None]]


class NotStored(AppError):
    """The event was not committed: 503, so that the provider may repeat it."""

    def __init__(self) -> None:
        detail = "We cannot store anything right now; try again in a moment."
        super().__init__("unavailable", detail, status=503, headers={"Retry-After": "10"})


class EventInbox:
    """Stores the provider events of one process, brand by brand.

    One writer a brand commits all that waits in one transaction; what arrives meanwhile waits for
    the next one. So groups grow with the load, a single event is written at once, and an idle
    process has no task to stop. A brand whose rows are locked holds up no other one.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._sessions = context.sessions_for_providers
        self._waiting: dict[int, deque[_Waiting]] = {}
        self._count = 0
        self._writers: dict[int, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(WRITERS)

    async def record(self, event: ParsedProviderEvent) -> None:
        """Return when the event is committed. Raises `NotStored` when it cannot be."""
        if self._count >= WAITING_ROWS:
            raise NotStored
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        brand_id = event.brand_id
        self._waiting.setdefault(brand_id, deque()).append((event, stored))
        self._count += 1
        if brand_id not in self._writers:
            self._writers[brand_id] = asyncio.create_task(self._write_all(brand_id))
        await stored

    async def _write_all(self, brand_id: int) -> None:
        waiting = self._waiting[brand_id]
        try:
            while waiting:
                async with self._places:
                    group = [waiting.popleft() for _ in range(min(len(waiting), GROUP_ROWS))]
                    self._count -= len(group)
                    await self._write(group)
        finally:
            del self._writers[brand_id], self._waiting[brand_id]

    async def _write(self, group: list[_Waiting]) -> None:
        try:
            await self._commit([event for event, _ in group])
        except Exception as error:  # noqa: BLE001  # nothing is acknowledged that is not committed
            if len(group) > 1 and sqlstate_of(error)[:2] in _OF_ONE_ROW:
                # One of them cannot be stored; the others must be all the same.
                for each in group:
                    await self._write([each])
            else:
                _fail(group, error)
        else:
            for _, stored in group:
                if not stored.done():
                    stored.set_result(None)

    async def _commit(self, events: list[ParsedProviderEvent]) -> None:
        async with asyncio.timeout(COMMIT_SECONDS):
            async with self._sessions.begin() as session:
                await record_provider_events(session, self._context.tokens, events, now=clock.now())


def _fail(group: list[_Waiting], error: Exception) -> None:
    log.error("provider events could not be stored", count=len(group), error=type(error).__name__)
    for _, stored in group:
        if not stored.done():
            stored.set_exception(NotStored())
