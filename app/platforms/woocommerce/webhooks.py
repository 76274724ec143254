"""Our webhooks in a shop: listed, registered where one is missing, activated again, removed.

WooCommerce takes any number of webhooks of one topic and address, and never shows their secrets. So
two checks at once may each register one: whoever lists them afterwards keeps the first of each
topic, and all of ours are given the shop's secret again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.errors import OutsideError
from app.platforms.connection_types import ConnectedShop
from app.platforms.woocommerce.client import PAGE_SIZE, WooCommerceClient
from app.platforms.woocommerce.responses import incomplete

TOPICS = ("order.created", "order.updated", "order.restored", "customer.created", "customer.updated")
"""Those that are registered. Not `customer.deleted`, which erases a person: a shop adds it itself;
nor `order.deleted`, which changes nothing."""
ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook of the shop, whoever made it."""

    id: int
    topic: str
    status: str
    url: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What registering changed, by topic."""

    created: tuple[str, ...] = ()
    activated: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


async def list_webhooks(client: WooCommerceClient) -> list[Webhook]:
    """All webhooks of the shop, the oldest first. Raises `OutsideError`."""
    rows = await client.get_list("webhooks", {"orderby": "id", "order": "asc"})
    return sorted((_webhook(each) for each in rows), key=lambda each: each.id)


def _webhook(row: Mapping[str, Any]) -> Webhook:
    match row:
        case {
            "id": int() as number,
            "topic": str() as topic,
            "status": str() as status,
            "delivery_url": str() as url,
        }:
            return Webhook(number, topic, status, url)
    raise incomplete()


def ours(listed: Sequence[Webhook], shop: ConnectedShop) -> dict[str, Webhook]:
    """The webhook that counts of each of our topics: the oldest that leads to us."""
    found: dict[str, Webhook] = {}
    for each in listed:
        if each.url == shop.webhook_url and each.topic in TOPICS:
            found.setdefault(each.topic, each)
    return found


async def register_webhooks(
    client: WooCommerceClient, shop: ConnectedShop, listed: Sequence[Webhook]
) -> tuple[Changes, list[Webhook]]:
    """Register, activate and clean up; returns what changed, and the webhooks as they are then.

    Raises `OutsideError`.
    """
    have = ours(listed, shop)
    missing = [topic for topic in TOPICS if topic not in have]
    idle = tuple(topic for topic, each in have.items() if each.status != ACTIVE)
    await _write(client, {"update": [_in_force(each.id, shop) for each in have.values()]})
    for topic in missing:
        await _create(client, shop, topic)
    listed = await list_webhooks(client)
    kept = ours(listed, shop)
    doubles = [each for each in listed if _is_double(each, kept, shop)]
    await _write(client, {"delete": [each.id for each in doubles]})
    created = tuple(topic for topic in missing if topic in kept)
    refused = tuple(topic for topic in TOPICS if topic not in kept or kept[topic].status != ACTIVE)
    removed = {each.id for each in doubles}
    return Changes(created, idle, refused), [each for each in listed if each.id not in removed]


def _in_force(number: int, shop: ConnectedShop) -> dict[str, object]:
    """A change that gives a webhook the shop's secret, and makes it active."""
    return {"id": number, "status": ACTIVE, "secret": shop.webhook_secret}


def _is_double(webhook: Webhook, kept: Mapping[str, Webhook], shop: ConnectedShop) -> bool:
    first = kept.get(webhook.topic)
    return first is not None and webhook.url == shop.webhook_url and webhook.id != first.id


async def _create(client: WooCommerceClient, shop: ConnectedShop, topic: str) -> None:
    body = {
        "name": f"Tenfold: {topic}",
        "topic": topic,
        "delivery_url": shop.webhook_url,
        "secret": shop.webhook_secret,
    }
    try:
        await client.send("POST", "webhooks", body)
    except OutsideError as error:
        if not error.permanent:
            raise
        # What was refused is missing from the list that is read next.


async def remove_webhooks(client: WooCommerceClient, shop: ConnectedShop) -> None:
    """Remove all that lead to us. Raises `OutsideError`."""
    found = [each.id for each in await list_webhooks(client) if each.url == shop.webhook_url]
    await _write(client, {"delete": found})


async def _write(client: WooCommerceClient, items: Mapping[str, Sequence[object]]) -> None:
    """One batch of changes; an item that is gone already is no error."""
    for name, given in items.items():
        for start in range(0, len(given), PAGE_SIZE):
            await client.send("POST", "webhooks/batch", {name: list(given[start : start + PAGE_SIZE])})
