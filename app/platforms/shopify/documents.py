"""The GraphQL documents that we send to Shopify's Admin API.

Here are those about the shop itself and its webhooks; those about discounts, orders and credit have
modules of their own. Each is checked by a test against Shopify's own schema. A field that is new in
a document must be in the cut schema: `tests/specs/cut_shopify.py` makes it.
"""

from dataclasses import dataclass

API_VERSION = "2026-07"
"""The version of the Admin API that every call names. Shopify serves a version for a year."""


@dataclass(frozen=True, slots=True)
class Document:
    """One operation, named as in its text."""

    name: str
    text: str
    is_mutation: bool = False


SHOP_FACTS = Document(
    "ShopFacts",
    """
    query ShopFacts {
      shop { name myshopifyDomain currencyCode ianaTimezone primaryDomain { host } }
      currentAppInstallation { accessScopes { handle } }
    }
    """,
)
"""Whose shop it is, and what our app may do there."""

PERSONAL_DATA = Document(
    "PersonalData",
    """
    query PersonalData {
      orders(first: 1, sortKey: CREATED_AT, reverse: true) { nodes { id email phone customer { id } } }
    }
    """,
)
"""The newest order with what personal data our app is shown of it; errors name what it is not."""

LIST_WEBHOOKS = Document(
    "ListWebhooks",
    """
    query ListWebhooks($after: String) {
      webhookSubscriptions(first: 100, after: $after) {
        nodes { id topic uri format includeFields filter }
        pageInfo { hasNextPage endCursor }
      }
    }
    """,
)
"""A page of our app's webhooks in the shop; another app's are never among them."""

CREATE_WEBHOOK = Document(
    "CreateWebhook",
    """
    mutation CreateWebhook($topic: WebhookSubscriptionTopic!, $uri: String!) {
      webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri, format: JSON}) {
        webhookSubscription { id }
        userErrors { field message }
      }
    }
    """,
    is_mutation=True,
)

DELETE_WEBHOOK = Document(
    "DeleteWebhook",
    """
    mutation DeleteWebhook($id: ID!) {
      webhookSubscriptionDelete(id: $id) {
        deletedWebhookSubscriptionId
        userErrors { field message }
      }
    }
    """,
    is_mutation=True,
)
