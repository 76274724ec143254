"""Read a shop's orders by Shopify's API: pages of those that were changed, and single ones."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.delivery_types import OrderPage
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.order_body import Node, is_whole, nodes, order_body
from app.platforms.shopify.order_documents import LIST_ORDERS, ONE_ORDER
from app.platforms.shopify.responses import incomplete, of_errors

PAGE = 10
"""Orders of a page. Shopify lets one query cost 1,000 points, and an order costs up to 91."""
TOPIC = "orders/updated"
_OF_MANY = {"lines": 5, "refunds": 2, "few": 1}
"""Entries of each order's lists; an order that has more is read alone."""
_OF_ONE = {"lines": 100, "refunds": 10, "few": 5}
_OF_REFUNDS = {"lines": 1, "refunds": 30, "few": 2}
"""For an order with more refunds or parcels than that."""
_LISTS = ("refunds", "fulfillments")
_RESOURCE = re.compile(r"orders/([0-9]{1,20})")


async def fetch_orders(
    http: aiohttp.ClientSession, connection: Connection, since: datetime, cursor: str | None
) -> OrderPage:
    """See `PlatformAdapter.fetch_orders`."""
    client = ShopifyClient(http, connection)
    query = f"updated_at:>='{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'"
    data = await _run(
        client, LIST_ORDERS, {"first": PAGE, "after": cursor, "query": query, **_OF_MANY}, "orders"
    )
    try:
        found = [
            each if _is_complete(each) else await _fetch(client, each["id"]) for each in nodes(data, "orders")
        ]
        page = data["orders"]["pageInfo"]
        next_cursor = page["endCursor"] if page["hasNextPage"] else None
        reached = datetime.fromisoformat(found[-1]["updatedAt"]) if found else None
    except (KeyError, TypeError, ValueError):
        raise incomplete() from None
    return OrderPage(TOPIC, tuple(orjson.dumps(order_body(each)) for each in found), next_cursor, reached)


async def fetch_order(http: aiohttp.ClientSession, connection: Connection, resource: str) -> bytes:
    """The order that `order_body.order_resource` names, as the body of a webhook."""
    number = _RESOURCE.fullmatch(resource)
    if number is None:
        raise OutsideError(Outcome.refused, "Shopify has nothing of this name to fetch.", permanent=True)
    found = await _fetch(ShopifyClient(http, connection), f"gid://shopify/Order/{number[1]}")
    try:
        return orjson.dumps(order_body(found))
    except (KeyError, TypeError, ValueError):
        raise incomplete() from None


async def _fetch(client: ShopifyClient, order_id: str) -> Node:
    found: Node = (await _run(client, ONE_ORDER, {"id": order_id, **_OF_ONE}, "order"))["order"]
    if all(len(found.get(name) or []) < _OF_ONE["refunds"] for name in _LISTS):
        return found
    more: Node = (await _run(client, ONE_ORDER, {"id": order_id, **_OF_REFUNDS}, "order"))["order"]
    return {**found, **{name: more.get(name) for name in _LISTS}}


async def _run(
    client: ShopifyClient, document: Any, variables: Mapping[str, object], root: str
) -> dict[str, Any]:
    """The data, null where access within an order is denied. Raises `OutsideError`."""
    reply = await client.run_with_errors(document, variables)
    if reply.data.get(root) is None:
        if reply.errors:
            raise of_errors(reply.errors)
        raise OutsideError(Outcome.refused, "Shopify has no such order (any more).", permanent=True)
    return reply.data


def _is_complete(order: Node) -> bool:
    """Whether each list of the order has all its entries."""
    inner = ("refundLineItems", "refundShippingLines", "transactions")
    return (
        all(is_whole(order, name) for name in ("lineItems", "shippingLines"))
        and all(len(order.get(name) or []) < _OF_MANY["refunds"] for name in _LISTS)
        and all(is_whole(refund, name) for refund in order.get("refunds") or [] for name in inner)
    )
