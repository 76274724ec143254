"""Read a shop's orders from its platform, page by page, until a transaction has enough of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import aiohttp

from app.base.errors import Fault, OutsideError
from app.base.ids import new_id
from app.base.tokens import Tokens
from app.brands.models import Shop
from app.ingest.failures import failed
from app.ingest.read_orders import ReadEvent, read_events
from app.platforms.connection_types import Connection
from app.platforms.delivery_types import NeedsFetch, OrderPage, RawDelivery
from app.platforms.registry import adapter_of
from app.platforms.shop_settings import settings_of

BATCH = 500
"""Orders that are applied in one transaction, at least, while there are more."""


@dataclass(slots=True)
class FetchedOrders:
    """Orders that wait for their transaction; `cursor` is where the next page begins."""

    bodies: list[bytes] = field(default_factory=list)
    events: list[Sequence[ReadEvent]] = field(default_factory=list)
    """Of each body."""
    failures: list[tuple[bytes, str]] = field(default_factory=list)
    """Bodies that could not be parsed, each with its reason."""
    topic: str = ""
    cursor: str | None = None
    is_last: bool = False
    reached: datetime | None = None
    """When the last of the orders was changed."""


class PageReader:
    """Reads the orders of one connected shop that were changed at `since` or later."""

    def __init__(self, tokens: Tokens, shop: Shop, connection: Connection, since: datetime) -> None:
        self._tokens = tokens
        self._shop = shop
        self._connection = connection
        self._since = since
        self._adapter = adapter_of(shop.platform)
        self._settings = settings_of(shop)

    async def read(
        self,
        http: aiohttp.ClientSession,
        cursor: str | None,
        *,
        after_page: Callable[[], Awaitable[None]],
        now: datetime,
    ) -> FetchedOrders:
        """Read pages from the cursor's on until there are enough orders for a batch.

        Raises `OutsideError`, and what `after_page` raises.
        """
        fetched = FetchedOrders(cursor=cursor)
        while len(fetched.bodies) < BATCH and not fetched.is_last:
            page = await self._adapter.fetch_orders(http, self._connection, self._since, fetched.cursor)
            fetched.topic, fetched.reached = page.topic, page.reached or fetched.reached
            fetched.is_last = page.next_cursor is None or page.next_cursor == fetched.cursor
            fetched.cursor = page.next_cursor
            await self._parse(http, page, fetched, now)
            await after_page()
        return fetched

    async def _parse(
        self, http: aiohttp.ClientSession, page: OrderPage, fetched: FetchedOrders, now: datetime
    ) -> None:
        for body in page.bodies:
            delivery = RawDelivery(page.topic, body, now, None, self._settings)
            fetched.bodies.append(body)
            try:
                parsed = self._adapter.parse(delivery)
                if isinstance(parsed, NeedsFetch):
                    content = await self._content(http, parsed)
                    parsed = self._adapter.parse(replace(delivery, fetched=content))
            except OutsideError:
                raise
            except Exception as error:  # noqa: BLE001  # one order may not hold up the others
                fetched.failures.append((body, failed(new_id(), error).reason or ""))
                fetched.events.append(())
                continue
            events = () if isinstance(parsed, NeedsFetch) else parsed
            key = self._shop.brand_id, self._shop.id
            fetched.events.append(read_events(self._tokens, *key, events, now=now))

    async def _content(self, http: aiohttp.ClientSession, needed: NeedsFetch) -> bytes:
        """What an order needs besides its body; empty where that cannot be had and need not be."""
        try:
            return await self._adapter.fetch(http, self._connection, needed.resource)
        except OutsideError as error:
            if self._adapter.parses_without_fetch and error.fault not in {Fault.busy, Fault.outage}:
                return b""
            raise
