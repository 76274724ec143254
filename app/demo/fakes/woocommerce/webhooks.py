"""Webhooks: the API's part, pings, and deliveries."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from html import unescape
from typing import Any

import aiohttp

from app.demo.fakes.woocommerce.errors import RestError, invalid_id
from app.demo.fakes.woocommerce.state import FakeShop, FakeWebhook, page_of, stamp

MOST_FAILURES = 5
"""In a row; the next one disables the webhook."""
_SECONDS = 5.0
_AGENT = "WooCommerce/10.2.0 Hookshot (WordPress/6.9)"


def create_webhook(shop: FakeShop, body: Mapping[str, Any]) -> FakeWebhook:
    """Create one; the same topic and address may come any number of times. It must be pinged."""
    webhook = FakeWebhook(
        shop.new_id(),
        body.get("name") or "Webhook created",
        body["topic"],
        body["delivery_url"],
        body.get("secret") or secrets.token_urlsafe(37),
    )
    shop.webhooks[webhook.id] = webhook
    return webhook


def update_webhook(shop: FakeShop, number: int, body: Mapping[str, Any]) -> FakeWebhook:
    """Change one; its count of failures stays, also where it becomes active again."""
    webhook = shop.webhooks.get(number)
    if webhook is None:
        raise invalid_id("webhook", 400)
    for name in ("name", "topic", "delivery_url", "secret", "status"):
        if body.get(name):
            setattr(webhook, name, body[name])
    return webhook


def delete_webhook(shop: FakeShop, number: int, *, force: bool) -> FakeWebhook:
    """Delete one; there is no trash for webhooks. Raises `RestError`."""
    if not force:
        raise RestError("woocommerce_rest_trash_not_supported", "Webhooks do not support trashing.", 501)
    if number not in shop.webhooks:
        raise invalid_id("webhook", 404)
    return shop.webhooks.pop(number)


def show_webhook(shop: FakeShop, webhook: FakeWebhook) -> dict[str, Any]:
    """As the API shows it: never with its secret, nor with its failures."""
    resource, _, event = webhook.topic.partition(".")
    dates = {"date_created": webhook.created_at, "date_modified": webhook.created_at}
    shown: dict[str, Any] = {
        "id": webhook.id,
        "name": webhook.name,
        "status": webhook.status,
        "topic": webhook.topic,
        "resource": resource,
        "event": event,
        "hooks": [],
        "delivery_url": webhook.delivery_url,
        "_links": {},
    }
    for name, at in dates.items():
        shown |= {name: stamp(at, shop.time_zone), f"{name}_gmt": stamp(at, "UTC")}
    return shown


def list_webhooks(shop: FakeShop, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """A page of webhooks, and how many there are."""
    rows = [each for each in shop.webhooks.values() if query["status"] in {"all", each.status}]
    rows.sort(key=lambda each: each.id, reverse=query["order"] == "desc")
    return page_of((show_webhook(shop, each) for each in rows), query["page"], query["per_page"])


async def ping(shop: FakeShop, webhook: FakeWebhook) -> None:
    """The unsigned form that a new webhook sends; whatever it gets, the webhook stays active."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": _AGENT}
    shop.pings.append(await _post(webhook, f"webhook_id={webhook.id}".encode(), headers))


async def deliver(shop: FakeShop, topic: str, body: Mapping[str, Any], *, times: int = 1) -> int:
    """Send a resource to the active webhooks of a topic; returns how many accepted it each time.

    A delivery is made once and never repeated: `times` is for changes that leave the body as it is.
    """
    raw = json.dumps(body).encode()
    accepted = 0
    for webhook in [each for each in shop.webhooks.values() if each.topic == topic]:
        done = [await _deliver_once(shop, webhook, raw) for _ in range(times)]
        accepted += all(done)
    return accepted


async def _deliver_once(shop: FakeShop, webhook: FakeWebhook, raw: bytes) -> bool:
    if webhook.status != "active":
        return False
    status = await _post(webhook, raw, _headers(shop, webhook, raw))
    if 200 <= status <= 302:
        webhook.failures = 0
        return True
    if webhook.failures > MOST_FAILURES:
        webhook.status = "disabled"
    else:
        webhook.failures += 1
    return False


def _headers(shop: FakeShop, webhook: FakeWebhook, raw: bytes) -> dict[str, str]:
    resource, _, event = webhook.topic.partition(".")
    key = unescape(webhook.secret).encode()
    delivery_id = hashlib.md5(f"{webhook.id}{int(time.time())}".encode(), usedforsecurity=False)
    return {
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "X-WC-Webhook-Source": f"{shop.url}/",
        "X-WC-Webhook-Topic": webhook.topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-Signature": base64.b64encode(hmac.digest(key, raw, "sha256")).decode(),
        "X-WC-Webhook-ID": str(webhook.id),
        "X-WC-Webhook-Delivery-ID": delivery_id.hexdigest(),
    }


async def _post(webhook: FakeWebhook, raw: bytes, headers: dict[str, str]) -> int:
    """The status of the response; 0 where there was none."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(webhook.delivery_url, data=raw, headers=headers, allow_redirects=False) as response,
        ):
            return response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return 0
