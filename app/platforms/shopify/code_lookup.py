"""Look up codes and discounts in a shop at Shopify, set them back, and list what is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from app.platforms.connection_types import Connection
from app.platforms.discounts import CodePage, Discount, FoundCode
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.discount_calls import update_discount
from app.platforms.shopify.discount_documents import FIND_CODE, LIST_CODES
from app.platforms.shopify.discount_shape import (
    differences,
    discount_input,
    is_stopped,
    sells_subscriptions,
    tag_of,
)
from app.platforms.shopify.responses import incomplete, refused, user_errors

PAGE = 250
"""The most codes of a page, a point each."""
STOPPED = "it is not active: somebody has ended it. Activate it in the shop's admin, or stop the offers."


@dataclass(frozen=True, slots=True)
class FoundDiscount:
    """The discount that has a code; `code_id` is None where the shop's search lags behind."""

    discount_id: str
    code_id: str | None
    is_ours: bool


async def find_code(client: ShopifyClient, code: str, discount: Discount) -> FoundDiscount | None:
    """Whose discount a code belongs to; None for a code that the shop does not have."""
    node: Any = (await client.run(FIND_CODE, {"code": code})).get("codeDiscountNodeByCode")
    if node is None:
        return None
    try:
        shown: Mapping[str, Any] = node["codeDiscount"] or {}
        nodes = (shown.get("codes") or {"nodes": []})["nodes"]
        ids = [str(each["id"]) for each in nodes if each["code"].upper() == code.upper()]
        is_ours = str(node["id"]) == discount.remote_id or tag_of(discount) in (shown.get("tags") or ())
        return FoundDiscount(str(node["id"]), ids[0] if ids else None, is_ours)
    except (KeyError, TypeError, AttributeError):
        raise incomplete() from None


async def list_newest(client: ShopifyClient, discount_id: str, count: int) -> dict[str, str]:
    """The ids of `count` of the newest codes of a discount and more, as far as a page holds."""
    found = await _page(client, discount_id, first=min(max(count * 2, 20), PAGE), newest_first=True)
    return {} if found is None else {str(each["code"]): str(each["id"]) for each in found["codes"]["nodes"]}


async def exists(client: ShopifyClient, discount_id: str) -> bool:
    """Whether the shop still has a discount."""
    return await _page(client, discount_id, first=1) is not None


async def list_codes(
    http: aiohttp.ClientSession, connection: Connection, discount: Discount, after: str | None
) -> CodePage:
    """See `PlatformAdapter.list_codes`."""
    if discount.remote_id is None:
        return CodePage((), is_gone=True)
    data = await _read(ShopifyClient(http, connection), discount.remote_id, first=PAGE, after=after)
    found = _discount(data)
    if found is None:
        return CodePage((), is_gone=True)
    try:
        codes = [
            FoundCode(str(each["code"]), str(each["id"]), int(each["asyncUsageCount"]))
            for each in found["codes"]["nodes"]
        ]
        info = found["codes"]["pageInfo"]
        following = info["endCursor"] if info["hasNextPage"] else None
    except (KeyError, TypeError):
        raise incomplete() from None
    problem = STOPPED if is_stopped(found) else None
    changed = differences(discount, found, subscriptions=sells_subscriptions(data))
    return CodePage(codes, following, differences=changed, problem=problem)


async def repair_discount(http: aiohttp.ClientSession, connection: Connection, discount: Discount) -> None:
    """See `PlatformAdapter.repair_codes`. One that somebody has ended is left so."""
    given = {name: value for name, value in discount_input(discount).items() if name != "endsAt"}
    errors = user_errors(await update_discount(ShopifyClient(http, connection), discount.remote_id, given))
    if errors:
        raise refused(errors)


async def _page(
    client: ShopifyClient, discount_id: str, *, first: int, newest_first: bool = False
) -> Mapping[str, Any] | None:
    return _discount(await _read(client, discount_id, first=first, newest_first=newest_first))


async def _read(
    client: ShopifyClient,
    discount_id: str,
    *,
    first: int,
    after: str | None = None,
    newest_first: bool = False,
) -> Mapping[str, Any]:
    variables = {"id": discount_id, "first": first, "after": after, "newestFirst": newest_first}
    return await client.run(LIST_CODES, variables)


def _discount(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The discount; None for one that the shop does not have."""
    node: Any = data.get("discountNode")
    if node is None:
        return None
    if not isinstance(node, Mapping) or not isinstance(node.get("discount"), Mapping):
        raise incomplete()
    found: Mapping[str, Any] = node["discount"]
    return found
