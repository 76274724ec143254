"""Calls of Shopify's Admin API for one shop: access tokens, the limit on calls, and failures."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from app.base.errors import Fault, Outcome, OutsideError
from app.base.http import read_limited, retry_wait
from app.platforms.connection_types import Connection
from app.platforms.shopify.access_tokens import ACCESS_TOKENS, AccessTokens
from app.platforms.shopify.accounts import url_of_account
from app.platforms.shopify.documents import API_VERSION, Document
from app.platforms.shopify.responses import Reply, of_errors, of_exception, of_status, read_reply
from app.platforms.shopify.throttle import LEAST_WAIT, Bucket, requested_cost

WAIT_SECONDS = 20.0
"""The longest that one call waits for points; after that it is given back to its caller."""
BLIND_WAIT = 1.0
"""Seconds between attempts where Shopify does not say how full the bucket is."""
RESPONSE_LIMIT = 8 * 1024 * 1024
"""Bytes."""

Variables = Mapping[str, object]


class ShopifyClient:
    """Runs our documents in one shop. It holds what it knows of the shop's bucket of points.

    The session's own time limit holds for each request.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        connection: Connection,
        *,
        access_tokens: AccessTokens = ACCESS_TOKENS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._http = http
        self._connection = connection
        self._access_tokens = access_tokens
        self._wait_seconds = wait_seconds
        self.served_version: str | None = None
        """The version of the Admin API that served the last call, as Shopify named it."""
        self._bucket: Bucket | None = None
        self._costs: dict[str, float] = {}
        """What a document may cost at most, as Shopify said it."""

    async def run(self, document: Document, variables: Variables | None = None) -> dict[str, Any]:
        """The document's data, complete. Raises `OutsideError` with a sentence for people."""
        reply = await self.run_with_errors(document, variables)
        if reply.errors:
            raise of_errors(reply.errors)
        return reply.data

    async def run_with_errors(self, document: Document, variables: Variables | None = None) -> Reply:
        """As `run`, but fields to which access is denied are null in the data, with their errors.

        Waits for the shop's points as Shopify says; where that takes longer than `WAIT_SECONDS` it
        raises `OutsideError` (busy) with the wait that is left.
        """
        url = f"{url_of_account(self._connection.account)}/admin/api/{API_VERSION}/graphql.json"
        body = orjson.dumps({"query": document.text, "variables": dict(variables or {})})
        deadline = time.monotonic() + self._wait_seconds
        least = 0.0
        while True:
            await self._wait_for_points(document, deadline, least)
            reply = await self._post(url, body, document)
            self._learn(document, reply)
            if not reply.is_throttled:
                return _checked(reply)
            least = LEAST_WAIT if self._bucket else BLIND_WAIT

    async def _wait_for_points(self, document: Document, deadline: float, least: float) -> None:
        """Wait until the bucket holds what the document costs, as far as both are known."""
        cost, wait, now = self._costs.get(document.name), least, time.monotonic()
        if cost is not None and self._bucket is not None:
            wait = max(least, self._bucket.seconds_until(cost, now))
        if now + wait > deadline:
            raise OutsideError(
                Outcome.refused,
                "Shopify: the shop's limit on calls is used up.",
                retry_after=wait,
                fault=Fault.busy,
            )
        if cost is not None and self._bucket is not None:
            self._bucket = self._bucket.after(cost, now)
        await asyncio.sleep(wait)

    def _learn(self, document: Document, reply: Reply) -> None:
        cost = requested_cost(reply.extensions)
        if cost is not None:
            self._costs[document.name] = cost
        self._bucket = Bucket.of(reply.extensions, time.monotonic()) or self._bucket

    async def _post(self, url: str, body: bytes, document: Document) -> Reply:
        """One request, and a second one with a new access token where the first was refused."""
        token = await self._access_tokens.get(self._http, self._connection)
        status, content, wait = await self._request(url, body, token)
        if status == 401 and self._access_tokens.drop(self._connection, token):
            token = await self._access_tokens.get(self._http, self._connection)
            status, content, wait = await self._request(url, body, token)
        if status != 200:
            raise of_status(status, wait)
        return read_reply(content, status, is_mutation=document.is_mutation)

    async def _request(self, url: str, body: bytes, token: str) -> tuple[int, bytes, float]:
        """Status, body, and how long to wait where the status asks for it."""
        headers = {
            "X-Shopify-Access-Token": token,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as response:
                self.served_version = response.headers.get("X-Shopify-API-Version") or self.served_version
                wait = retry_wait(response.headers.get("Retry-After"), None, now=0.0)
                return response.status, await read_limited(response, limit=RESPONSE_LIMIT), wait
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise of_exception(error) from None


def _checked(reply: Reply) -> Reply:
    """The reply, where it has data, or errors that only say what is denied."""
    serious = tuple(each for each in reply.errors if each.code != "ACCESS_DENIED")
    if serious or not (reply.data or reply.errors):
        raise (
            of_errors(serious)
            if serious
            else OutsideError(Outcome.unknown, "Shopify sent neither data nor an error.", fault=Fault.outage)
        )
    return reply
