"""The outside world of the demo: a shop that signs its deliveries, and customers who answer, over real HTTP."""

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
_PATIENCE_SECONDS = 30
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

T = TypeVar("T")


class Outside:
    """Speaks to the doors like anybody outside: one signed delivery, one form, one page at a time, `AT_ONCE` of them together."""

    def __init__(self, base_url: str, *, shop: str, secret: str) -> None:
        self._base = base_url
        self._hook = f"{base_url}/hooks/{shop}/checkout"
        self._signer = Webhook(secret)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
            timeout=aiohttp.ClientTimeout(total=_PATIENCE_SECONDS),
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._session.close()

    async def deliver(self, deliveries: Sequence[tuple[str, Mapping[str, Any]]]) -> list[float]:
        """Make signed deliveries (their id and body), in order as far as sixteen at once allow; answers the seconds each took.

        An `AppError` when one is not accepted: the shop would have to send it again.
        """
        return await self._at_once(self._deliver_one, deliveries)

    async def answer(self, answers: Sequence[tuple[str, int, str]]) -> list[float]:
        """Send the forms of survey pages (token, score, comment); answers the seconds each took."""
        return await self._at_once(self._answer_one, answers)

    async def visit(self, paths: Sequence[str]) -> None:
        """Open pages as a person's browser does."""
        await self._at_once(self._visit_one, paths)

    async def ask(self, path: str, *, key: str) -> Any:
        """What the API says at a path, with this key."""
        async with self._session.get(self._base + path, headers={"Authorization": f"Bearer {key}"}) as answer:
            if answer.status != 200:
                raise _surprise(path, answer.status)
            return await answer.json()

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
        async with self._session.post(self._hook, data=raw.encode(), headers=headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise _surprise("the checkout hook", answer.status)

    async def _visit_one(self, path: str) -> None:
        async with self._session.get(self._base + path, headers={"user-agent": _BROWSER}) as answer:
            await answer.read()
            if answer.status != 200:
                raise _surprise("the friend's page", answer.status)

    async def _answer_one(self, given: tuple[str, int, str]) -> None:
        token, score, comment = given
        form = {"score": str(score), "comment": comment}
        async with self._session.post(f"{self._base}/s/{token}", data=form, allow_redirects=False) as answer:
            await answer.read()
            if answer.status != 303:
                raise _surprise("the survey page", answer.status)

    async def _at_once(self, act: Callable[[T], Awaitable[None]], things: Sequence[T]) -> list[float]:
        took = [0.0] * len(things)
        waiting = iter(enumerate(things))

        async def hand() -> None:
            for place, thing in waiting:
                began = clock.monotonic()
                try:
                    await act(thing)
                except (aiohttp.ClientError, TimeoutError) as error:
                    raise AppError(
                        "demo_failed", f"The demo stopped: the web did not answer ({type(error).__name__})."
                    ) from error
                took[place] = clock.monotonic() - began

        try:
            async with asyncio.TaskGroup() as hands:
                for _ in range(min(AT_ONCE, len(things))):
                    hands.create_task(hand())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return took


def _surprise(where: str, status: int) -> AppError:
    return AppError("demo_failed", f"The demo stopped: {where} answered {status}.")
