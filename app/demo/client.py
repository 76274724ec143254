"""The demo's HTTP client: a shop that signs its deliveries, and customers who open pages."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp
from standardwebhooks import Webhook

from app.base import clock
from app.base.errors import AppError

AT_ONCE = 16
"""Requests open at the same time."""
_TIMEOUT_SECONDS = 30
_KEEP_SECONDS = 1
"""An idle connection is used again for this long. The server closes one after five seconds, and a
request that meets the end of its connection is lost."""
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

T = TypeVar("T")


class DemoClient:
    """Sends real requests to the demo's web server, at most `AT_ONCE` open at the same time.

    Every method raises `AppError` where a response is not the expected one or does not come in
    time.
    """

    def __init__(self, base_url: str, *, shop: str, secret: str) -> None:
        self._base = base_url
        self._hook = f"{base_url}/hooks/{shop}/checkout"
        self._signer = Webhook(secret)
        self._visitors = 0
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE, keepalive_timeout=_KEEP_SECONDS),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """Send signed deliveries (id and body), in this order; returns the seconds of each."""
        return await self._at_once(self._deliver_one, deliveries)

    async def respond(self, responses: Sequence[tuple[str, int, str]]) -> list[float]:
        """Post survey forms (token, score, comment); returns the seconds of each."""
        return await self._at_once(self._respond_one, responses)

    async def visit(self, paths: Sequence[str]) -> None:
        """Open pages, each as the browser of another person does."""
        await self._at_once(self._visit_one, paths)

    async def get_json(self, path: str, *, key: str) -> Any:
        """GET a path of the API with this key; returns the parsed JSON."""
        async with self._session.get(
            self._base + path, headers={"Authorization": f"Bearer {key}"}
        ) as response:
            if response.status != 200:
                raise _unexpected(path, response.status)
            return await response.json()

    async def _deliver_one(self, delivery: tuple[str, Mapping[str, Any]]) -> None:
        delivery_id, body = delivery
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        now = clock.now()
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(delivery_id, now, raw),
        }
        async with self._session.post(self._hook, data=raw.encode(), headers=headers) as response:
            await response.read()
            if response.status != 200:
                raise _unexpected("the checkout hook", response.status)

    async def _visit_one(self, path: str) -> None:
        # All of them have this machine's address; each has a browser of their own.
        self._visitors += 1
        headers = {"user-agent": f"{_BROWSER} Friend/{self._visitors}"}
        async with self._session.get(self._base + path, headers=headers) as response:
            await response.read()
            if response.status != 200:
                raise _unexpected("the friend's page", response.status)

    async def _respond_one(self, given: tuple[str, int, str]) -> None:
        token, score, comment = given
        form = {"score": str(score), "comment": comment}
        async with self._session.post(
            f"{self._base}/s/{token}", data=form, allow_redirects=False
        ) as response:
            await response.read()
            if response.status != 303:
                raise _unexpected("the survey page", response.status)

    async def _at_once(self, send: Callable[[T], Awaitable[None]], items: Sequence[T]) -> list[float]:
        took = [0.0] * len(items)
        waiting = iter(enumerate(items))

        async def work() -> None:
            for index, item in waiting:
                began = clock.monotonic()
                try:
                    await send(item)
                except (aiohttp.ClientError, TimeoutError) as error:
                    raise AppError(
                        "demo_failed",
                        f"The demo stopped: the web server did not respond ({type(error).__name__}).",
                    ) from error
                took[index] = clock.monotonic() - began

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(AT_ONCE, len(items))):
                    tasks.create_task(work())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return took


def _unexpected(where: str, status: int) -> AppError:
    return AppError("demo_failed", f"The demo stopped: {where} returned {status}.")
