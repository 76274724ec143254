"""Webhook subscriptions: resolvers by field, and deliveries."""

import base64
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from graphql import GraphQLResolveInfo

from app.base import clock
from app.demo.fakes.shopify.access import topic_refusal
from app.demo.fakes.shopify.paging import page
from app.demo.fakes.shopify.state import FakeApp, FakeShop, FakeWebhook, new_gid

RETRIES = 8
"""Deliveries that fail are repeated this often; after that the subscription is deleted."""
_SECONDS = 5.0
_PERSONAL = (
    "email",
    "phone",
    "contact_email",
    "first_name",
    "last_name",
    "billing_address",
    "shipping_address",
)


def create_webhook(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`webhookSubscriptionCreate`."""
    shop: FakeShop = info.context
    topic, uri = given["topic"], given["webhookSubscription"].get("uri") or ""
    refusal = topic_refusal(shop, topic, info)
    if not uri.startswith("https://") and not uri.startswith("http://127.0.0.1"):
        refusal = refusal or "Address is not a valid URI"
    if any((each.topic, each.uri) == (topic, uri) for each in shop.webhooks.values()):
        refusal = refusal or "Address for this topic has already been taken"
    if refusal:
        error = {"field": ["webhookSubscription"], "message": refusal}
        return {"webhookSubscription": None, "userErrors": [error]}
    webhook = FakeWebhook(new_gid("WebhookSubscription"), topic, uri)
    shop.webhooks[webhook.id] = webhook
    return {"webhookSubscription": webhook.shown(), "userErrors": []}


def delete_webhook(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`webhookSubscriptionDelete`."""
    shop: FakeShop = info.context
    if shop.webhooks.pop(given["id"], None) is None:
        error = {"field": ["id"], "message": "Webhook subscription does not exist"}
        return {"deletedWebhookSubscriptionId": None, "userErrors": [error]}
    return {"deletedWebhookSubscriptionId": given["id"], "userErrors": []}


def list_webhooks(_: Any, info: GraphQLResolveInfo, **given: Any) -> dict[str, Any]:
    """`webhookSubscriptions`, with the filters by topics and by address."""
    shop: FakeShop = info.context
    topics, uri = given.get("topics"), given.get("uri")
    rows = [
        each.shown()
        for each in shop.webhooks.values()
        if (not topics or each.topic in topics) and (not uri or each.uri == uri)
    ]
    return page(rows, given)


RESOLVERS: dict[str, Callable[..., Any]] = {
    "Mutation.webhookSubscriptionCreate": create_webhook,
    "Mutation.webhookSubscriptionDelete": delete_webhook,
    "QueryRoot.webhookSubscriptions": list_webhooks,
}
"""By type and field."""


async def deliver(
    shop: FakeShop, app: FakeApp, topic: str, body: Mapping[str, Any], *, times: int = 1
) -> int:
    """Send an event to all that subscribed to its topic (`orders/paid`); returns how many got it.

    Personal data are left out where the app may not use them. With `times` a delivery comes again
    with the same id, as it may. One that is not accepted is repeated at once; a subscription whose
    repetitions all failed is deleted.
    """
    shown = body if shop.has_personal_fields else _without_personal(body)
    raw = json.dumps(shown).encode()
    name = topic.upper().replace("/", "_")
    accepted = 0
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        for webhook in [each for each in shop.webhooks.values() if each.topic == name]:
            headers = _headers(shop, app, topic, raw)
            done = [await _send(http, shop, webhook, headers, raw) for _ in range(times)]
            accepted += all(done)
    return accepted


def _headers(shop: FakeShop, app: FakeApp, topic: str, raw: bytes) -> dict[str, str]:
    signature = base64.b64encode(hmac.digest(app.client_secret.encode(), raw, "sha256")).decode()
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": shop.domain,
        "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Webhook-Id": secrets.token_hex(16),
        "X-Shopify-Triggered-At": clock.now().isoformat(),
        "X-Shopify-Hmac-Sha256": signature,
    }


async def _send(
    http: aiohttp.ClientSession, shop: FakeShop, webhook: FakeWebhook, headers: dict[str, str], raw: bytes
) -> bool:
    for _ in range(1 + RETRIES):
        try:
            async with http.post(webhook.uri, data=raw, headers=headers, allow_redirects=False) as response:
                if 200 <= response.status < 300:
                    webhook.failures = 0
                    return True
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        webhook.failures += 1
    shop.webhooks.pop(webhook.id, None)
    return False


def _without_personal(value: Any) -> Any:
    """The body as Shopify sends it to an app that may not use personal fields: they are null."""
    if isinstance(value, Mapping):
        return {name: None if name in _PERSONAL else _without_personal(each) for name, each in value.items()}
    return [_without_personal(each) for each in value] if isinstance(value, list) else value
