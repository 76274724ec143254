"""Read a shop's orders by WooCommerce's API, in the order of their last change.

WooCommerce has pages by number alone, and an order that changes leaves its page for the last one,
so that the next page begins one order later. Therefore each page is asked for by the time that the
one before ended at; orders of that second come twice.
"""

from datetime import UTC, datetime, timedelta

import aiohttp
import orjson

from app.base.errors import Fault, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.delivery_types import OrderPage
from app.platforms.woocommerce.client import PAGE_SIZE, WooCommerceClient
from app.platforms.woocommerce.responses import incomplete

TOPIC = "order.updated"
_FEW = 10
"""Orders of a page, where more are too much: plugins keep documents in them, servers are small."""
_SECOND = timedelta(seconds=1)
"""WooCommerce's times have whole seconds, and what it is asked for is later than the time given."""


async def fetch_orders(
    http: aiohttp.ClientSession, connection: Connection, since: datetime, cursor: str | None
) -> OrderPage:
    """See `PlatformAdapter.fetch_orders`."""
    after, number, size = _place(since, cursor)
    asked = {
        "modified_after": f"{after:%Y-%m-%dT%H:%M:%S}",
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "status": "any",
    }
    client = WooCommerceClient(http, connection)
    try:
        rows, is_last = await client.get_page("orders", asked, number, size=size)
    except OutsideError as error:
        # A small server runs out of memory or time over a whole page, and has a few orders at once.
        if error.fault is not Fault.outage or size == _FEW:
            raise
        number, size = (number - 1) * (size // _FEW) + 1, _FEW
        rows, is_last = await client.get_page("orders", asked, number, size=size)
    reached = None
    if rows:
        try:
            reached = datetime.fromisoformat(rows[-1]["date_modified_gmt"]).replace(tzinfo=UTC)
        except (KeyError, TypeError, ValueError):
            raise incomplete() from None
    next_cursor = None if is_last or reached is None else _next(after, number, size, reached - _SECOND)
    return OrderPage(TOPIC, tuple(orjson.dumps(each) for each in rows), next_cursor, reached)


def _place(since: datetime, cursor: str | None) -> tuple[datetime, int, int]:
    """The time after which orders are asked for, the number of the page, and how many it has."""
    if cursor is None:
        return since.astimezone(UTC) - _SECOND, 1, PAGE_SIZE
    at, number, *size = cursor.split("|")
    return datetime.fromisoformat(at), int(number), int(size[0]) if size else PAGE_SIZE


def _next(after: datetime, number: int, size: int, ended: datetime) -> str:
    """The next page's cursor: a page whose orders all changed in one second goes on by number."""
    part = "" if size == PAGE_SIZE else f"|{size}"
    at, following = (ended, 1) if ended > after else (after, number + 1)
    return f"{at.isoformat()}|{following}{part}"
