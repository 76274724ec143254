"""What is fetched from the shop for a delivery: refunds, and what the shop itself has.

A copy of a shop, as developers and hosts make one to try things, has the shop's webhooks and their
secret, and delivers what is done there. Its deliveries name another address; so the shop is asked
what it has under that number, and the delivery counts as a hint alone.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from app.base.errors import Outcome, OutsideError
from app.brands.rules import domain_of
from app.platforms.connection_types import Connection
from app.platforms.fields import Fields
from app.platforms.woocommerce.accounts import is_local
from app.platforms.woocommerce.client import WooCommerceClient
from app.platforms.woocommerce.refunds import list_refunds

_RESOURCE = re.compile(r"(?:(orders|customers)/([0-9]{1,20})|orders/[0-9]{1,20}/refunds)")
_FILTERS = {"orders": {"status": "any"}, "customers": {"role": "all"}}
_API = "/wp-json/"


def resource_at_home(body: Fields, kind: str, account: str | None) -> str | None:
    """What to fetch where a body was not written by the account's WordPress; None where it was.

    None too where it does not say by which, or no account is known; nor where the account is a
    fake on this machine, whose orders may be anybody's.
    """
    resource = f"{kind}/{body.id_or_none('id')}"
    if account is None or not asks_home(account, resource):
        return None
    where = address_of(body)
    return None if where is None or _plain(where) == _plain(account) else resource


def asks_home(account: str | None, resource: str) -> bool:
    """Whether the shop can say what it has: it is connected, and no fake on this machine."""
    return account is not None and not is_local(account) and _RESOURCE.fullmatch(resource) is not None


def address_of(body: Fields) -> str | None:
    """The address of the WordPress that wrote the body, with its directory."""
    links = body.informational.object_or_empty("_links").objects("self")
    href = links[0].text("href", limit=2000) if links else None
    return href.partition(_API)[0] if href is not None and _API in href else None


def _plain(address: str) -> str:
    try:
        return f"{domain_of(address)}{urlsplit(address).path.rstrip('/')}"
    except ValueError:
        return ""


async def fetch_resource(http: aiohttp.ClientSession, connection: Connection, resource: str) -> bytes:
    """See `PlatformAdapter.fetch`: the refunds of an order, an order with them, or a customer.

    Null for what the shop does not have. Raises `OutsideError`.
    """
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        raise OutsideError(Outcome.refused, "WooCommerce has nothing of this name to fetch.", permanent=True)
    client, (kind, number) = WooCommerceClient(http, connection), found.groups()
    if kind is None:
        return orjson.dumps({"refunds": await list_refunds(client, resource)})
    rows, _ = await client.get_page(kind, {"include": number, **_FILTERS[kind]}, 1)
    row: dict[str, Any] | None = next((each for each in rows if str(each.get("id")) == number), None)
    content: dict[str, Any] = {kind.removesuffix("s"): row}
    if row is not None and row.get("refunds"):
        content["refunds"] = await list_refunds(client, f"{resource}/refunds")
    return orjson.dumps(content)
