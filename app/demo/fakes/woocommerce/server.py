"""The fake as a server on loopback: WordPress's index and WooCommerce's REST API.

Each shop is below its own path: `http://127.0.0.1:PORT/acme`.
"""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from aiohttp import web

from app.demo.fakes.woocommerce.errors import RestError
from app.demo.fakes.woocommerce.resources import Call, Reply, route
from app.demo.fakes.woocommerce.state import FakeKey, FakeShop
from app.demo.fakes.woocommerce.webhooks import deliver, ping

_PAGE = "<!DOCTYPE html><html><body><h1>{}</h1></body></html>"
_API = re.compile(r"wc/v3/(.+)")
_INDEX_FIELDS = ("name", "description", "url", "home", "gmt_offset", "timezone_string", "namespaces")
Intercept = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request in the fake's place, or lets it through with None: for failures."""


class FakeWooCommerce:
    """Use as `async with`; `url` is its address."""

    def __init__(self, *shops: FakeShop, port: int = 0) -> None:
        self.shops = {shop.path: shop for shop in shops}
        self.url = ""
        self.intercept: Intercept | None = None
        self.keeps_authorization = False
        """Whether the server keeps the header `Authorization` from PHP."""
        self.drops_paging = False
        """Whether something before the shop drops the headers that count pages."""
        self.seconds = 0.0
        """How long each call takes."""
        self.requests: list[tuple[str, str, Any]] = []
        """Method, path with query, and body of each request to the API, in order."""
        self.violations: list[str] = []
        """What did not fit the schema; such requests are refused."""
        self._port = port

    def account(self, shop: FakeShop) -> str:
        """The account by which Tenfold calls the shop."""
        return f"{self.url}/{shop.path}"

    async def deliver(self, shop: FakeShop, topic: str, body: Mapping[str, Any], *, times: int = 1) -> int:
        """Send a resource to its webhooks: see `app.demo.fakes.woocommerce.webhooks.deliver`."""
        return await deliver(shop, topic, body, times=times)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{shop}/wp-json/{path:.*}", self._respond)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        instead = await self.intercept(request) if self.intercept else None
        if instead is not None:
            return instead
        await asyncio.sleep(self.seconds)
        shop = self.shops.get(request.match_info["shop"])
        if shop is None or not shop.has_permalinks:
            return web.Response(status=404, text=_PAGE.format("Not Found"), content_type="text/html")
        try:
            return await self._read(shop, request)
        except RestError as error:
            return web.json_response(error.shown(), status=error.status)

    async def _read(self, shop: FakeShop, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if not path:
            return _index(shop, request)
        found = _API.fullmatch(path)
        if found is None or not shop.is_active:
            raise RestError("rest_no_route", "No route was found matching the URL and request method.", 404)
        body = await _body(request)
        self.requests.append((request.method, request.path_qs.partition("/wp-json/wc/v3/")[2], body))
        query = dict(request.query)
        pair = query.pop("consumer_key", ""), query.pop("consumer_secret", "")
        query.pop("_", None)
        if not self.keeps_authorization and "Authorization" in request.headers:
            pair = _pair(request)
        key = _key(shop, request, pair)
        call = Call(shop, request.method, found.group(1), query, body)
        reply = route(call, is_manager=key is not None and key.is_manager, is_known=key is not None)
        self.violations += reply.violations
        if reply.error is not None:
            raise reply.error
        for webhook in reply.created_webhooks:
            # WooCommerce pings before it responds; the answer changes nothing.
            await ping(shop, webhook)
        paging = {} if self.drops_paging else _paging(reply, call)
        return web.json_response(reply.body, status=reply.status, headers=paging)


def _index(shop: FakeShop, request: web.Request) -> web.Response:
    if request.headers.get("Authorization"):
        # A consumer key is no password of an application: WordPress knows no such user.
        raise RestError("invalid_username", "Unknown username.", 401)
    if not shop.shows_index:
        raise RestError("rest_login_required", "REST API restricted to authenticated users.", 401)
    namespaces = ["oembed/1.0", "wp/v2", *(["wc/v3"] if shop.is_active else [])]
    values: dict[str, Any] = dict.fromkeys(_INDEX_FIELDS, "")
    values |= {"name": shop.name, "url": shop.url, "home": shop.url, "namespaces": namespaces}
    values |= {"timezone_string": shop.time_zone, "gmt_offset": 1}
    asked = request.query.get("_fields")
    shown = values if asked is None else {name: values[name] for name in asked.split(",") if name in values}
    return web.json_response(shown)


async def _body(request: web.Request) -> Any:
    raw = await request.read()
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise RestError("rest_invalid_json", "Invalid JSON body passed.", 400) from None


def _pair(request: web.Request) -> tuple[str, str]:
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    login, _, password = base64.b64decode(given if kind == "Basic" else "").decode().partition(":")
    return login, password


def _key(shop: FakeShop, request: web.Request, pair: tuple[str, str]) -> FakeKey | None:
    """The key of the request, None for one that is not known. Raises `RestError`."""
    login, password = pair
    key = next((each for each in shop.keys if each.consumer_key == login), None)
    if key is None:
        return None
    if key.consumer_secret != password:
        raise RestError("woocommerce_rest_authentication_error", "Consumer secret is invalid.", 401)
    needed = "read" if request.method in {"GET", "HEAD"} else "write"
    if needed not in key.permissions:
        message = f"The API key provided does not have {needed} permissions."
        raise RestError("woocommerce_rest_authentication_error", message, 401)
    return key


def _paging(reply: Reply, call: Call) -> dict[str, str]:
    if reply.total is None:
        return {}
    per_page = int(call.query.get("per_page", 10))
    return {"X-WP-Total": str(reply.total), "X-WP-TotalPages": str(-(-reply.total // per_page))}
