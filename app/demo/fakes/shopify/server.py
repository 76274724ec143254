"""The fake as a server on loopback: the token endpoint and the Admin API, for any number of shops.

Each shop is below its own domain as a path: `http://127.0.0.1:PORT/acme.myshopify.com`.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from aiohttp import web

from app.demo.fakes.shopify.execute import run_document
from app.demo.fakes.shopify.state import FakeApp, FakeShop
from app.demo.fakes.shopify.webhooks import deliver

VERSION = "2026-07"
"""Of the schema."""
_PAGE = "<!DOCTYPE html><html><body><h1>{}</h1></body></html>"
Intercept = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request in the fake's place, or lets it through with None: for failures."""


class FakeShopify:
    """Use as `async with`; `url` is its address."""

    def __init__(self, *shops: FakeShop, app: FakeApp | None = None, port: int = 0) -> None:
        self.shops = {shop.domain: shop for shop in shops}
        self.app = app or FakeApp()
        self.url = ""
        self.intercept: Intercept | None = None
        self.requests: list[tuple[str, Mapping[str, Any]]] = []
        """Path and body of each request, in order."""
        self.violations: list[str] = []
        """What Shopify's schema does not know in our documents."""
        self.served_version = VERSION
        """Shopify serves a newer version in place of one that has ended."""
        self._port = port

    def account(self, shop: FakeShop) -> str:
        """The account by which Tenfold calls the shop."""
        return f"{self.url}/{shop.domain}"

    def add_custom_token(self, shop: FakeShop) -> str:
        """The token of a custom app that was made in the shop's admin: it does not end."""
        return shop.new_token(math.inf)

    async def deliver(self, shop: FakeShop, topic: str, body: Mapping[str, Any], *, times: int = 1) -> int:
        """Send an event to its subscribers: see `app.demo.fakes.shopify.webhooks.deliver`."""
        return await deliver(shop, self.app, topic, body, times=times)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{domain}/admin/oauth/access_token", self._token)
        app.router.add_post(f"/{{domain}}/admin/api/{VERSION}/graphql.json", self._graphql)
        app.middlewares.append(self._intercepted)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._runner.cleanup()

    @property
    def _intercepted(self) -> Any:
        @web.middleware
        async def run(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            instead = await self.intercept(request) if self.intercept else None
            return await handler(request) if instead is None else instead

        return run

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.requests.append((request.path, dict.fromkeys(form, "…")))
        shop = self.shops.get(request.match_info["domain"])
        if shop is None:
            return _page(404, "Not Found")
        if form.get("grant_type") != "client_credentials":
            return _page(400, "Oauth error unsupported_grant_type: grant_type is invalid.")
        if form.get("client_id") != self.app.client_id:
            return web.json_response({"error": "application_cannot_be_found"}, status=400)
        if form.get("client_secret") != self.app.client_secret:
            return web.json_response({"error": "invalid_client"}, status=400)
        if not shop.is_installed:
            return _page(400, "Oauth error app_not_installed: The application is not installed on this shop.")
        scope = ",".join(sorted(shop.scopes))
        seconds = self.app.token_seconds
        return web.json_response(
            {"access_token": shop.new_token(seconds), "scope": scope, "expires_in": seconds}
        )

    async def _graphql(self, request: web.Request) -> web.Response:
        shop = self.shops.get(request.match_info["domain"])
        if shop is None:
            return _page(404, "Not Found")
        if not shop.accepts(request.headers.get("X-Shopify-Access-Token", "")):
            message = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return web.json_response({"errors": message}, status=401)
        body = await request.json()
        self.requests.append((request.path, body))
        reply = run_document(shop, body["query"], body.get("variables"))
        # What was carried out, also in part, has data; a call beyond the shop's limit has its cost.
        if not {"data", "extensions"} & reply.keys():
            self.violations += [each["message"] for each in reply["errors"]]
        return web.json_response(reply, headers={"X-Shopify-API-Version": self.served_version})


def _page(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=_PAGE.format(text), content_type="text/html")
