"""One process's inbox: which shop a hook belongs to, and the group commit of what arrives together."""

import asyncio
from collections import deque
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import DataError, IntegrityError

from app.base import clock
from app.base.errors import AppError
from app.base.log import logger
from app.base.web.context import AppContext
from app.brands.find import find_shop
from app.brands.rules import is_slug
from app.ingest.store import NewDelivery, store_deliveries

log = logger(__name__)

FRESH_SECONDS = 5.0
"""How long a shop's secrets are believed; a changed one is in force everywhere after that."""
SECRETS_RECHECK_SECONDS = 1.0
"""A wrong signature looks the secrets up again, since they may just have been exchanged, but not more often than this."""
GROUP_ROWS = 500
GROUP_BYTES = 8 * 1024 * 1024
"""What one transaction takes at most; a single body is at most 1 MiB."""
WAITING_BYTES = 64 * 1024 * 1024
WAITING_ROWS = 10_000
"""What may wait in memory; beyond it the shop is told to come again."""
COMMIT_SECONDS = 10.0
"""After that the database is taken to be away: platforms give up waiting sooner or later than that, and come again."""


class Unavailable(AppError):
    """It could not be committed; nothing was acknowledged, and the shop should come again."""

    def __init__(self) -> None:
        detail = "We cannot store anything right now; try again in a moment."
        super().__init__("unavailable", detail, status=503, headers={"Retry-After": "10"})


@dataclass(frozen=True, slots=True)
class KnownShop:
    """What a hook needs to know of its shop."""

    brand_id: int
    shop_id: UUID
    secrets: tuple[str, ...]
    read_at: float
    """On the monotonic clock."""


class Inbox:
    """Takes deliveries in for one process.

    One writer commits all that waits in one transaction; what arrives meanwhile waits for the next. So a group is as large as the
    load makes it, a lone delivery waits for nobody, and an idle process has no task to stop.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._shops: dict[str, KnownShop] = {}
        self._looking_up = asyncio.Lock()
        self._waiting: deque[tuple[NewDelivery, asyncio.Future[None]]] = deque()
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None

    async def shop(self, slug: str, *, fresher_than: float = FRESH_SECONDS) -> KnownShop | None:
        """The shop with this slug, as it was at most `fresher_than` seconds ago; None where there is none."""
        known = self._shops.get(slug)
        if known is not None and clock.monotonic() - known.read_at < fresher_than:
            return known
        # One look-up at a time: when an entry ages, all requests of a busy shop would ask at once.
        async with self._looking_up:
            known = self._shops.get(slug)
            if known is not None and clock.monotonic() - known.read_at < fresher_than:
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
        known = self._shops[slug] = KnownShop(brand.id, shop.id, secrets, clock.monotonic())
        return known

    async def keep(self, incoming: NewDelivery) -> None:
        """Answer when the delivery is committed; `Unavailable` when it cannot be."""
        if len(self._waiting) >= WAITING_ROWS or self._waiting_bytes + len(incoming.body) > WAITING_BYTES:
            raise Unavailable
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((incoming, kept))
        self._waiting_bytes += len(incoming.body)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await kept

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
            await self._commit([incoming for incoming, _ in group])
        except (DataError, IntegrityError) as error:
            # Something about one of them (its shop was just removed): the others must not suffer for it.
            if len(group) > 1:
                for each in group:
                    await self._write([each])
                return
            _fail(group, error)
        except Exception as error:  # noqa: BLE001  # whatever it was, nothing is acknowledged that is not committed
            _fail(group, error)
        else:
            for _, kept in group:
                if not kept.done():
                    kept.set_result(None)

    async def _commit(self, incoming: list[NewDelivery]) -> None:
        async with asyncio.timeout(COMMIT_SECONDS):
            async with self._context.sessions.begin() as session:
                await store_deliveries(session, incoming)


def _fail(group: list[tuple[NewDelivery, asyncio.Future[None]]], error: Exception) -> None:
    log.error("deliveries could not be kept", count=len(group), error=type(error).__name__)
    for _, kept in group:
        if not kept.done():
            kept.set_exception(Unavailable())
