"""Make and change discounts at Shopify, which leave out subscriptions unless they are asked not to.

A shop that sells none may not even ask: so whether it does is read first.
"""

from collections.abc import Mapping
from typing import Any

from app.platforms.shopify.client import ShopifyClient, Variables
from app.platforms.shopify.discount_documents import CREATE_DISCOUNT, SELLS_SUBSCRIPTIONS, UPDATE_DISCOUNT
from app.platforms.shopify.discount_shape import APPLIES, sells_subscriptions
from app.platforms.shopify.documents import Document
from app.platforms.shopify.responses import user_errors

Given = Mapping[str, Any]
"""A `DiscountCodeBasicInput`."""
Payload = Any
"""What Shopify replied to a mutation, unread: `user_errors` and the caller look into it."""


async def create_discount(client: ShopifyClient, given: Given) -> Payload:
    """The payload of `discountCodeBasicCreate`. Raises `OutsideError`."""
    return await _run(client, CREATE_DISCOUNT, "discountCodeBasicCreate", given, {})


async def update_discount(client: ShopifyClient, discount_id: str | None, given: Given) -> Payload:
    """The payload of `discountCodeBasicUpdate`. Raises `OutsideError`."""
    return await _run(client, UPDATE_DISCOUNT, "discountCodeBasicUpdate", given, {"id": discount_id})


async def _run(
    client: ShopifyClient, document: Document, root: str, given: Given, others: Variables
) -> Payload:
    if sells_subscriptions(await client.run(SELLS_SUBSCRIPTIONS)):
        data = await client.run(document, {**others, "discount": _with_subscriptions(given)})
        payload = data.get(root)
        if not any(APPLIES in each.field for each in user_errors(payload)):
            return payload
    return (await client.run(document, {**others, "discount": given})).get(root)


def _with_subscriptions(given: Given) -> Given:
    """The discount as one of subscriptions too, of the first order of each."""
    gets = {**given["customerGets"], APPLIES: True, "appliesOnOneTimePurchase": True}
    return {**given, "customerGets": gets, "recurringCycleLimit": 1}
