"""The fake of WooCommerce in a test, and how its responses are made to fail."""

from collections.abc import Callable

from aiohttp import web

from app.demo.fakes.woocommerce.server import FakeWooCommerce, Intercept
from app.demo.fakes.woocommerce.state import FakeKey, FakeShop
from app.platforms.connection_types import Connection

PAGE = "<!DOCTYPE html><html><body>Something else</body></html>"


def connection_of(fake: FakeWooCommerce, shop: FakeShop, key: FakeKey | None = None) -> Connection:
    """The connection with the shop's first key, or with this one."""
    used = key or shop.keys[0]
    credentials = {"consumer_key": used.consumer_key, "consumer_secret": used.consumer_secret}
    return Connection(fake.account(shop), credentials)


def always(make: Callable[[], web.StreamResponse]) -> Intercept:
    """Every call gets this response."""

    async def respond(_: web.Request) -> web.StreamResponse:
        return make()

    return respond


def page(status: int = 200) -> Intercept:
    """A page instead of data."""
    return always(lambda: web.Response(status=status, text=PAGE, content_type="text/html"))


def error(status: int, code: str, **headers: str) -> Intercept:
    """An error of WordPress or a plugin, in the shop's language."""
    body = {"code": code, "message": "Entschuldigung.", "data": {"status": status}}
    return always(lambda: web.json_response(body, status=status, headers=headers))


def redirect(location: str = "https://www.fern.example/wp-json/") -> Intercept:
    """The shop's address has changed."""
    return always(lambda: web.Response(status=301, headers={"Location": location}))
