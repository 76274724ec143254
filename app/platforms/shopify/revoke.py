"""Take codes out of a shop at Shopify, which deletes them after it has responded."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import aiohttp

from app.base.errors import OutsideError
from app.platforms.connection_types import Connection
from app.platforms.discounts import NOT_THERE_YET, Discount, PublishedCode
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.code_lookup import exists, find_code
from app.platforms.shopify.discount_documents import DELETE_CODES, JOB_DONE
from app.platforms.shopify.responses import messages_of, user_errors

WAITS = (0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds between the questions whether codes are deleted."""
NOT_FOUND_YET = "Shopify has the code, and its search does not find it yet."
STILL_DELETING = "Shopify is still deleting it."


async def revoke_codes(
    http: aiohttp.ClientSession, connection: Connection, discount: Discount, codes: Sequence[PublishedCode]
) -> list[str | None]:
    """See `PlatformAdapter.revoke_codes`."""
    client = ShopifyClient(http, connection)
    places: dict[str, tuple[str, str]] = {}
    reasons: dict[str, str] = {}
    for each in codes:
        place = await _place(client, discount, each)
        if isinstance(place, str):
            reasons[each.code] = place
        elif place is not None:
            places[each.code] = place
    for discount_id in sorted({place for place, _ in places.values()}):
        ids = {code: code_id for code, (place, code_id) in places.items() if place == discount_id}
        try:
            reason = await _delete(client, discount_id, ids.values())
        except OutsideError as error:
            reason = error.reason
        if reason is not None:
            reasons |= dict.fromkeys(ids, reason)
    return [reasons.get(each.code) for each in codes]


async def _place(
    client: ShopifyClient, discount: Discount, code: PublishedCode
) -> tuple[str, str] | str | None:
    """The ids of the code's discount and of the code, or why they cannot be told yet.

    None where the shop has it not from us.
    """
    if code.remote_id is not None and discount.remote_id is not None:
        return discount.remote_id, code.remote_id
    found = await find_code(client, code.code, discount)
    if found is None:
        return NOT_THERE_YET if code.may_come else None
    if not found.is_ours:
        return None
    return NOT_FOUND_YET if found.code_id is None else (found.discount_id, found.code_id)


async def _delete(client: ShopifyClient, discount_id: str, ids: Collection[str]) -> str | None:
    """Delete codes of one discount; why they are still there, None where they are gone."""
    data = await client.run(DELETE_CODES, {"id": discount_id, "ids": list(ids)})
    payload: Any = data.get("discountCodeRedeemCodeBulkDelete")
    errors = user_errors(payload)
    if errors:
        is_there = await exists(client, discount_id)
        return messages_of(errors) if is_there else None
    job = payload.get("job")
    for wait in WAITS if job else ():
        state: Any = (await client.run(JOB_DONE, {"id": job["id"]})).get("job")
        if state is None or state.get("done"):
            return None
        await asyncio.sleep(wait)
    return STILL_DELETING if job else None
