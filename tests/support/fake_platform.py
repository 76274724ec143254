"""A platform for tests alone: it pings unsigned, and its deliveries only name an order to be
fetched."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import aiohttp

from app.platforms.checkout.parse import parse
from app.platforms.connection_types import Connection
from app.platforms.delivery_types import (
    NeedsFetch,
    Ping,
    RawDelivery,
    RefusedDelivery,
    Verification,
    VerifiedDelivery,
)
from app.platforms.events import PlatformEvent
from app.platforms.links import with_query
from app.platforms.protocol import PlatformAdapter

NAME = "fake"


class FakePlatform(PlatformAdapter):
    """Its signature is the secret itself; what a fetch returns, or raises, is set by `contents`."""

    title = "Fake"

    def __init__(self) -> None:
        self.contents: dict[str, bytes | Exception] = {}
        """By resource."""
        self.calls: list[tuple[str, Connection]] = []
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        """The resources of fetches that were begun."""
        self.released = asyncio.Event()
        """Fetches wait for it."""
        self.released.set()

    def verify(
        self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], *, now: datetime
    ) -> Verification:
        """A ping is unsigned and begins with `webhook_id=`, as WooCommerce's."""
        if raw.startswith(b"webhook_id=") and "signature" not in headers:
            return Ping()
        if headers.get("signature") not in secrets:
            return RefusedDelivery()
        return VerifiedDelivery("order", headers["delivery-id"])

    def parse(self, delivery: RawDelivery, /) -> list[PlatformEvent] | NeedsFetch:
        """The body is the resource; what is fetched is a checkout's body."""
        if delivery.fetched is None or delivery.fetched == b"again":
            return NeedsFetch(delivery.body.decode())
        return parse(RawDelivery("", delivery.fetched, delivery.received_at))

    def shop_link(self, url: str, code: str, slug: str) -> str:
        """As a checkout's."""
        return with_query(url, ref=slug, discount=code)

    async def fetch(self, http: aiohttp.ClientSession, connection: Connection, resource: str) -> bytes:
        """What `contents` has for the resource."""
        assert not http.closed
        self.calls.append((resource, connection))
        self.begun.put_nowait(resource)
        await self.released.wait()
        content = self.contents[resource]
        if isinstance(content, Exception):
            raise content
        return content
