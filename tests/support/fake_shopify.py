"""The fake of Shopify in a test, and how its responses are made to fail."""

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from datetime import datetime

from aiohttp import web

from app.demo.fakes.shopify.server import FakeShopify, Intercept
from app.demo.fakes.shopify.state import FakeShop
from app.platforms.connection_types import Connection


def session_token(secret: str, *, at: datetime, alg: str = "HS256", **claims: object) -> str:
    """A token as extensions of the shop `acme` have it, with these claims changed or left out."""
    now = int(at.timestamp())
    given = {
        "dest": "acme.myshopify.com",
        "aud": "client",
        "exp": now + 300,
        "nbf": now,
        "iat": now,
        "jti": "6c992878",
    }
    parts = [
        {"alg": alg, "typ": "JWT"},
        {name: each for name, each in (given | claims).items() if each is not None},
    ]
    signed = ".".join(_base64(json.dumps(each).encode()) for each in parts)
    return f"{signed}.{_base64(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


PAGE = "<!DOCTYPE html><html><body>Something else</body></html>"


def client_credentials(fake: FakeShopify, shop: FakeShop) -> Connection:
    """The connection of an app with a client id and a secret."""
    credentials = {"client_id": fake.app.client_id, "client_secret": fake.app.client_secret}
    return Connection(fake.account(shop), credentials)


def custom_token(fake: FakeShopify, shop: FakeShop) -> Connection:
    """The connection of a custom app with a token that does not end."""
    return Connection(fake.account(shop), {"access_token": fake.add_custom_token(shop)})


def always(make: Callable[[], web.StreamResponse]) -> Intercept:
    """Every call of the Admin API gets this response; access tokens are given as ever."""

    async def respond(request: web.Request) -> web.StreamResponse | None:
        return make() if request.path.endswith("graphql.json") else None

    return respond


def page(status: int = 200) -> Intercept:
    """A page instead of data."""
    return always(lambda: web.Response(status=status, text=PAGE, content_type="text/html"))


def redirect() -> Intercept:
    """The shop's domain has changed."""
    return always(lambda: web.Response(status=301, headers={"Location": "https://elsewhere.example/"}))


class Hang:
    """An intercept without a response until `released` is set; `begun` says that a call waits."""

    def __init__(self) -> None:
        self.begun, self.released = asyncio.Event(), asyncio.Event()

    async def __call__(self, _: web.Request) -> web.StreamResponse:
        self.begun.set()
        await self.released.wait()
        return web.Response()
