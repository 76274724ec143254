"""Calls of WooCommerce's REST API for one shop."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from app.base.errors import Fault, Outcome, OutsideError
from app.base.http import read_limited, retry_wait
from app.platforms.connection_types import Connection
from app.platforms.woocommerce.accounts import url_of_account
from app.platforms.woocommerce.responses import (
    Response,
    error_of,
    incomplete,
    knows_nobody,
    of_exception,
    read_body,
)

PAGE_SIZE = 100
"""The most that WooCommerce lists on a page."""
MOST_PAGES = 50
RESPONSE_LIMIT = 8 * 1024 * 1024
"""Bytes."""
_TOO_LONG = "The shop's response is longer than 8 MiB."


class WooCommerceClient:
    """Calls one shop, one call at a time. The session's own time limit holds for each."""

    def __init__(self, http: aiohttp.ClientSession, connection: Connection) -> None:
        self._http = http
        self._url = url_of_account(connection.account)
        names = ("consumer_key", "consumer_secret")
        self._key = {name: connection.credentials.get(name, "") for name in names}
        pair = ":".join(self._key.values())
        self._auth = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        self._is_header_lost = False

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The data of a resource (`settings/general`). Raises `OutsideError`."""
        return _data(await self._call("GET", path, query), is_write=False)

    async def get_list(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """All pages of a list. Raises `OutsideError`, also for more than `MOST_PAGES`."""
        found: list[dict[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            rows, is_last = await self.get_page(path, query or {}, page)
            found += rows
            if is_last:
                return found
        raise OutsideError(Outcome.refused, "WooCommerce lists more than is read at once.", permanent=True)

    async def get_page(
        self, path: str, query: Mapping[str, str], page: int, *, size: int = PAGE_SIZE
    ) -> tuple[list[dict[str, Any]], bool]:
        """A page of a list, and whether it is the last. Raises `OutsideError`.

        A page has fewer rows where WooCommerce leaves out what it cannot load, and proxies drop the
        header that has the number of pages: only without it a page that is not full is the last.
        """
        asked = {**query, "per_page": str(size), "page": str(page)}
        response = await self._call("GET", path, asked)
        if response.is_cut:
            raise OutsideError(Outcome.refused, _TOO_LONG, fault=Fault.outage)
        rows = _data(response, is_write=False)
        if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
            raise incomplete()
        return rows, len(rows) < size if response.pages is None else page >= response.pages

    async def send(self, method: str, path: str, body: Mapping[str, object]) -> Any:
        """Write, and return what WooCommerce returns. Raises `OutsideError`."""
        return _data(await self.try_send(method, path, body), is_write=True)

    async def try_send(self, method: str, path: str, body: Mapping[str, object]) -> Response:
        """Write, and return the response, whatever it is. Raises `OutsideError` for none."""
        return await self._call(method, path, body=orjson.dumps(body))

    async def get_index(self, fields: str) -> Mapping[str, Any] | None:
        """These fields of WordPress's own index; None where plugins hide it.

        It is asked without the key, which WordPress itself does not know. Raises `OutsideError`
        where the shop does not respond.
        """
        response = await self._request("GET", f"{self._url}/wp-json/", {"_fields": fields}, None, {})
        error = error_of(response, is_write=False)
        if error is not None and error.fault in {Fault.outage, Fault.busy} and response.status != 200:
            raise error
        return response.data if error is None and isinstance(response.data, Mapping) else None

    async def _call(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        url = f"{self._url}/wp-json/wc/v3/{path}"
        if method == "GET":
            # Some caches keep what the API returns, by its address, and would show a coupon as
            # missing that was just made. WordPress leaves out a parameter that it does not know.
            query = {**(query or {}), "_": secrets.token_hex(8)}
        if not self._is_header_lost:
            response = await self._request(method, url, query, body, self._auth)
            if not knows_nobody(response):
                return response
            # Many a server keeps the header from PHP. WooCommerce takes the key in the address too,
            # which such a server notes in its log; so only where it has to be.
            self._is_header_lost = True
        return await self._request(method, url, {**(query or {}), **self._key}, body, {})

    async def _request(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        auth: Mapping[str, str],
    ) -> Response:
        headers = {"Accept": "application/json", "Cache-Control": "no-cache", **auth}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._http.request(
                method, url, params=query, data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await read_limited(response, limit=RESPONSE_LIMIT)
                data, is_json = read_body(content)
                return Response(
                    response.status,
                    data,
                    is_json,
                    response.headers.get("Location"),
                    retry_wait(response.headers.get("Retry-After"), None, now=0.0),
                    _pages(response.headers.get("X-WP-TotalPages")),
                    is_cut=len(content) >= RESPONSE_LIMIT,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise of_exception(error) from None


def _data(response: Response, *, is_write: bool) -> Any:
    error = error_of(response, is_write=is_write)
    if error is not None:
        raise error
    return response.data


def _pages(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
