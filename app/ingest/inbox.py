"""One process's inbox: a cache of shops and secrets, and the group commit of deliveries."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from app.base import clock
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.log import logger
from app.brands.find import find_shop
from app.brands.rules import Platform, is_slug
from app.ingest.store import NewDelivery, store_deliveries

log = logger(__name__)

CACHE_SECONDS = 5.0
"""How long a shop's secrets are cached; a change is in force in every process after that."""
SECRETS_RECHECK_SECONDS = 1.0
"""After a wrong signature the secrets are read again, at most this often, since they may have
changed."""
GROUP_ROWS = 500
GROUP_BYTES = 8 * 1024 * 1024
"""The most bytes that one transaction stores; a single body is at most 1 MiB."""
WAITING_BYTES = 64 * 1024 * 1024
WAITING_ROWS = 10_000
"""The most deliveries that wait in memory; beyond it the shop gets 503 and repeats the delivery."""
COMMIT_SECONDS = 10.0
"""After that the delivery gets 503: platforms wait about as long themselves, and repeat it."""
APART_COMMIT_SECONDS = 3.0
"""The same for one brand apart: others may wait behind it."""


class Unavailable(AppError):
    """The delivery was not committed: 503, so that the platform repeats it."""

    def __init__(self) -> None:
        detail = "We cannot store anything right now; try again in a moment."
        super().__init__("unavailable", detail, status=503, headers={"Retry-After": "10"})


@dataclass(frozen=True, slots=True)
class KnownShop:
    """What a webhook endpoint needs of its shop."""

    brand_id: int
    shop_id: UUID
    platform: Platform | str
    secrets: tuple[str, ...]
    read_at: float
    """On the monotonic clock."""


Waiting = tuple[NewDelivery, asyncio.Future[None]]


class _Queue:
    """Deliveries that wait for the queue's writer, which stores them group by group."""

    def __init__(self) -> None:
        self.waiting: deque[Waiting] = deque()
        self.writer: asyncio.Task[None] | None = None


class Inbox:
    """Stores the deliveries of one process.

    One writer commits all that waits in one transaction; what arrives meanwhile waits for the next
    one. So groups grow with the load, a single delivery is written at once, and an idle process has
    no task to stop. Where a group of several brands cannot be stored, as at a locked row or where
    the machine of one brand is away, it is stored brand by brand in a queue of its own, and a brand
    stays there until it was stored by itself: so it holds up no other.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._sessions = context.sessions_for_shops
        self._shops: dict[str, KnownShop] = {}
        self._looking_up = asyncio.Lock()
        self._together, self._apart = _Queue(), _Queue()
        self._set_apart: set[int] = set()
        """The brands that are stored apart."""
        self._waiting_rows = 0
        self._waiting_bytes = 0

    async def shop(self, slug: str, *, max_age: float = CACHE_SECONDS) -> KnownShop | None:
        """The shop with this slug, as it was at most `max_age` seconds ago, or None."""
        known = self._shops.get(slug)
        if known is not None and clock.monotonic() - known.read_at < max_age:
            return known
        # One query at a time: when an entry expires, all requests of a busy shop would query at
        # once.
        async with self._looking_up:
            known = self._shops.get(slug)
            if known is not None and clock.monotonic() - known.read_at < max_age:
                return known
            return await self._look_up(slug)

    async def _look_up(self, slug: str) -> KnownShop | None:
        if not is_slug(slug):
            return None
        async with self._sessions() as session:
            found = await find_shop(session, slug)
        if found is None:
            self._shops.pop(slug, None)
            return None
        brand, shop = found
        secrets = tuple(self._context.tokens.open(sealed) for sealed in shop.sealed_secrets)
        known = self._shops[slug] = KnownShop(brand.id, shop.id, shop.platform, secrets, clock.monotonic())
        return known

    async def store(self, delivery: NewDelivery) -> None:
        """Return when the delivery is committed. Raises `Unavailable` when it cannot be."""
        if self._waiting_rows >= WAITING_ROWS or self._waiting_bytes + len(delivery.body) > WAITING_BYTES:
            raise Unavailable
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting_rows += 1
        self._waiting_bytes += len(delivery.body)
        self._put(self._queue_of(delivery.brand_id), [(delivery, stored)])
        await stored

    def _queue_of(self, brand_id: int) -> _Queue:
        return self._apart if brand_id in self._set_apart else self._together

    def _put(self, queue: _Queue, deliveries: Iterable[Waiting]) -> None:
        queue.waiting.extend(deliveries)
        if queue.writer is None:
            queue.writer = asyncio.create_task(self._write_all(queue))

    async def _write_all(self, queue: _Queue) -> None:
        try:
            while queue.waiting:
                group = next_group(queue.waiting, one_brand=queue is self._apart)
                seconds = APART_COMMIT_SECONDS if queue is self._apart else COMMIT_SECONDS
                await self._write(group, seconds)
        finally:
            queue.writer = None

    async def _write(self, group: list[Waiting], seconds: float) -> None:
        brands = {delivery.brand_id for delivery, _ in group}
        try:
            await self._commit([delivery for delivery, _ in group], seconds)
        except Exception as error:  # noqa: BLE001  # nothing is acknowledged that is not committed
            if isinstance(error, (DataError, IntegrityError)) and len(group) > 1:
                # One of them cannot be stored; the others must be all the same.
                for each in group:
                    await self._write([each], seconds)
            else:
                of_some_brand = is_of_some_brand(error)
                self._set_apart |= brands if of_some_brand else set()
                if of_some_brand and len(brands) > 1:
                    self._put(self._apart, group)
                else:
                    self._fail(group, error)
        else:
            self._set_apart -= brands
            self._release(group)
            for _, stored in group:
                if not stored.done():
                    stored.set_result(None)

    async def _commit(self, deliveries: list[NewDelivery], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            async with self._sessions.begin() as session:
                await store_deliveries(session, deliveries)

    def _fail(self, group: list[Waiting], error: Exception) -> None:
        log.error("deliveries could not be stored", count=len(group), error=type(error).__name__)
        self._release(group)
        for _, stored in group:
            if not stored.done():
                stored.set_exception(Unavailable())

    def _release(self, group: list[Waiting]) -> None:
        self._waiting_rows -= len(group)
        self._waiting_bytes -= sum(len(delivery.body) for delivery, _ in group)


def is_of_some_brand(error: Exception) -> bool:
    """Whether other brands could be stored all the same: not where the whole database is away.

    What is wrong with one row is no reason to keep its brand apart.
    """
    if isinstance(error, DBAPIError):
        return not isinstance(error, (DataError, IntegrityError)) and not error.connection_invalidated
    return isinstance(error, TimeoutError)


def next_group(waiting: deque[Waiting], *, one_brand: bool) -> list[Waiting]:
    """Take the oldest deliveries, as many as one transaction stores; of one brand if so wanted."""
    group: list[Waiting] = []
    others: list[Waiting] = []
    size = 0
    while (
        waiting and len(group) < GROUP_ROWS and (not group or size + len(waiting[0][0].body) <= GROUP_BYTES)
    ):
        each = waiting.popleft()
        if one_brand and group and each[0].brand_id != group[0][0].brand_id:
            others.append(each)
            continue
        group.append(each)
        size += len(each[0].body)
    waiting.extendleft(reversed(others))
    return group
