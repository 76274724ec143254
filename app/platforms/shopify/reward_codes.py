"""Rewards' codes in a shop at Shopify: each is a discount of its own, for one customer.

Shopify lets no code be in a shop twice, and the discount's tag says whose it is: so whatever breaks
off may be called again.
"""

from dataclasses import replace
from typing import Any

import aiohttp

from app.base.errors import Outcome, OutsideError
from app.platforms.connection_types import Connection
from app.platforms.reward_codes import RewardCode
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.code_lookup import exists
from app.platforms.shopify.discount_calls import create_discount, update_discount
from app.platforms.shopify.discount_documents import (
    DELETE_DISCOUNT,
    FIND_CODE,
    FIND_CUSTOMER,
)
from app.platforms.shopify.discount_shape import STARTS_AT, TAG
from app.platforms.shopify.responses import TAKEN, incomplete, refused, user_errors


async def put_reward(
    http: aiohttp.ClientSession, connection: Connection, reward: RewardCode, remote_id: str | None
) -> str:
    """See `PlatformAdapter.put_reward`."""
    client = ShopifyClient(http, connection)
    try:
        return await _put(client, reward, remote_id)
    except OutsideError as error:
        owner = reward.customer_id
        if owner is None or not error.permanent or await _knows(client, owner):
            raise
    # Shopify has merged the customer with another one, under whose number we do not know them.
    return await _put(client, replace(reward, customer_id=None), remote_id)


async def _put(client: ShopifyClient, reward: RewardCode, remote_id: str | None) -> str:
    if remote_id is not None and await _update(client, remote_id, reward):
        return remote_id
    given = {**_input(reward), "code": reward.code, "startsAt": STARTS_AT}
    payload = await create_discount(client, given)
    errors = user_errors(payload)
    if any(each.code in TAKEN for each in errors):
        found = await _find(client, reward)
        if found is not None and await _update(client, found, reward):
            return found
        raise OutsideError(Outcome.refused, "The shop has another discount with this code.", permanent=True)
    if errors:
        raise refused(errors)
    try:
        return str(payload["codeDiscountNode"]["id"])
    except (KeyError, TypeError):
        raise OutsideError(Outcome.unknown, incomplete().reason) from None


async def remove_reward(
    http: aiohttp.ClientSession, connection: Connection, reward: RewardCode, remote_id: str | None
) -> None:
    """See `PlatformAdapter.remove_reward`."""
    client = ShopifyClient(http, connection)
    discount_id = remote_id or await _find(client, reward)
    if discount_id is None:
        return
    data = await client.run(DELETE_DISCOUNT, {"id": discount_id})
    errors = user_errors(data.get("discountCodeDelete"))
    if errors and await exists(client, discount_id):
        raise refused(errors)


async def _knows(client: ShopifyClient, customer_id: str) -> bool:
    """Whether the shop has the customer, as far as our app may know it."""
    reply = await client.run_with_errors(FIND_CUSTOMER, {"id": f"gid://shopify/Customer/{customer_id}"})
    return bool(reply.errors) or reply.data.get("customer") is not None


async def _update(client: ShopifyClient, discount_id: str, reward: RewardCode) -> bool:
    """Set a discount to what it must be; False where the shop has it no more."""
    errors = user_errors(await update_discount(client, discount_id, _input(reward)))
    if errors and await exists(client, discount_id):
        raise refused(errors)
    return not errors


async def _find(client: ShopifyClient, reward: RewardCode) -> str | None:
    """The discount with this code, where it is this reward's."""
    node: Any = (await client.run(FIND_CODE, {"code": reward.code})).get("codeDiscountNodeByCode")
    if node is None:
        return None
    try:
        is_ours = _tag(reward) in ((node["codeDiscount"] or {}).get("tags") or ())
        return str(node["id"]) if is_ours else None
    except (KeyError, TypeError, AttributeError):
        raise incomplete() from None


def _input(reward: RewardCode) -> dict[str, object]:
    """The `DiscountCodeBasicInput` without a code and a start."""
    buyers: dict[str, object] = {"all": "ALL"}
    if reward.customer_id is not None:
        buyers = {"customers": {"add": [f"gid://shopify/Customer/{reward.customer_id}"]}}
    amount = {"amount": f"{reward.amount:f}", "appliesOnEachItem": False}
    return {
        "title": reward.title,
        "endsAt": reward.expires_at.isoformat(),
        "usageLimit": reward.uses,
        "appliesOncePerCustomer": False,
        "combinesWith": {"orderDiscounts": False, "productDiscounts": False, "shippingDiscounts": True},
        "customerGets": {"items": {"all": True}, "value": {"discountAmount": amount}},
        "context": buyers,
        "tags": [TAG, _tag(reward)],
    }


def _tag(reward: RewardCode) -> str:
    return f"{TAG}-reward-{reward.reward_id.hex}"
