"""Our webhooks in a shop: listed, registered where one is missing, removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.errors import Outcome, OutsideError
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.documents import CREATE_WEBHOOK, DELETE_WEBHOOK, LIST_WEBHOOKS
from app.platforms.shopify.responses import incomplete, user_errors
from app.platforms.shopify.topics import TOPICS, enum_of

MOST_PAGES = 50
_TAKEN = "already been taken"
_TOPIC_OF = {enum_of(topic): topic for topic in TOPICS}


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook of our app; `is_whole` is whether it delivers every event with its whole body."""

    id: str
    topic: str
    """As in deliveries; as in the API for one that we do not use."""
    uri: str
    is_whole: bool


async def list_webhooks(client: ShopifyClient) -> list[Webhook]:
    """All webhooks of our app in the shop, wherever they lead. Raises `OutsideError`."""
    found: list[Webhook] = []
    after: str | None = None
    for _ in range(MOST_PAGES):
        data = await client.run(LIST_WEBHOOKS, {"after": after})
        try:
            page = data["webhookSubscriptions"]
            found += [_webhook(each) for each in page["nodes"]]
            has_more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        except (KeyError, TypeError):
            raise incomplete() from None
        if not has_more:
            return found
    raise OutsideError(Outcome.refused, "Shopify lists thousands of webhooks of this app.", permanent=True)


def _webhook(node: Mapping[str, Any]) -> Webhook:
    is_whole = node["format"] == "JSON" and not node["includeFields"] and not node["filter"]
    return Webhook(node["id"], _TOPIC_OF.get(node["topic"], node["topic"]), node["uri"], is_whole)


async def register_webhooks(client: ShopifyClient, uri: str, topics: Sequence[str]) -> dict[str, str]:
    """Register these topics; returns why some were refused, by topic. Raises `OutsideError`.

    One that is registered already, as by another process at the same time, is no refusal.
    """
    refused = {}
    for topic in topics:
        data = await client.run(CREATE_WEBHOOK, {"topic": enum_of(topic), "uri": uri})
        messages = [each.message for each in user_errors(data.get("webhookSubscriptionCreate"))]
        if messages and not any(_TAKEN in each for each in messages):
            refused[topic] = " ".join(messages)
    return refused


async def remove_webhooks(client: ShopifyClient, webhooks: Sequence[Webhook]) -> None:
    """Remove these webhooks; one that is gone already is no error. Raises `OutsideError`."""
    for each in webhooks:
        await client.run(DELETE_WEBHOOK, {"id": each.id})
