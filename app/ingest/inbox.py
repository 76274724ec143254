"""One process's inbox: a cache of shops and secrets, and the group commit of deliveries."""

import asyncio
from collections import deque
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import DataError, IntegrityError

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


class Inbox:
    """Stores the deliveries of one process.

    One writer commits all that waits in one transaction; what arrives meanwhile waits for the next
    one. So groups grow with the load, a single delivery is written at once, and an idle process has
    no task to stop.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._shops: dict[str, KnownShop] = {}
        self._looking_up = asyncio.Lock()
        self._waiting: deque[tuple[NewDelivery, asyncio.Future[None]]] = deque()
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None

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
        async with self._context.sessions() as session:
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
        if len(self._waiting) >= WAITING_ROWS or self._waiting_bytes + len(delivery.body) > WAITING_BYTES:
            raise Unavailable
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, stored))
        self._waiting_bytes += len(delivery.body)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await stored

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                await self._write(self._next_group())
        finally:
            self._writer = None

    def _next_group(self) -> list[tuple[NewDelivery, asyncio.Future[None]]]:
        group: list[tuple[NewDelivery, asyncio.Future[None]]] = []
        size = 0
        while (
            self._waiting
            and len(group) < GROUP_ROWS
            and (not group or size + len(self._waiting[0][0].body) <= GROUP_BYTES)
        ):
            group.append(self._waiting.popleft())
            size += len(group[-1][0].body)
        self._waiting_bytes -= size
        return group

    async def _write(self, group: list[tuple[NewDelivery, asyncio.Future[None]]]) -> None:
        try:
            await self._commit([delivery for delivery, _ in group])
        except (DataError, IntegrityError) as error:
            # One of them cannot be stored (its shop was just removed); the others must be all the
            # same.
            if len(group) > 1:
                for each in group:
                    await self._write([each])
                return
            _fail(group, error)
        except Exception as error:  # noqa: BLE001  # nothing is acknowledged that is not committed
            _fail(group, error)
        else:
            for _, stored in group:
                if not stored.done():
                    stored.set_result(None)

    async def _commit(self, deliveries: list[NewDelivery]) -> None:
        async with asyncio.timeout(COMMIT_SECONDS):
            async with self._context.sessions.begin() as session:
                await store_deliveries(session, deliveries)


def _fail(group: list[tuple[NewDelivery, asyncio.Future[None]]], error: Exception) -> None:
    log.error("deliveries could not be stored", count=len(group), error=type(error).__name__)
    for _, stored in group:
        if not stored.done():
            stored.set_exception(Unavailable())
