"""The webhook topics that we use, each with the access scope that it needs."""

from collections.abc import Mapping

TOPICS: Mapping[str, str] = {
    "orders/create": "read_orders",
    "orders/paid": "read_orders",
    "orders/updated": "read_orders",
    "orders/edited": "read_orders",
    "orders/fulfilled": "read_orders",
    "orders/partially_fulfilled": "read_orders",
    "orders/cancelled": "read_orders",
    "refunds/create": "read_orders",
    "fulfillments/create": "read_fulfillments",
    "fulfillments/update": "read_fulfillments",
    "fulfillment_events/create": "read_fulfillments",
    "disputes/create": "read_shopify_payments_disputes",
    "disputes/update": "read_shopify_payments_disputes",
    "customers/update": "read_customers",
    "customers_email_marketing_consent/update": "read_customers",
    "customers_marketing_consent/update": "read_customers",
}
"""Those that are registered by API."""
PRIVACY_TOPICS = ("customers/data_request", "customers/redact", "shop/redact")
"""Those that Shopify lets nobody register by API: they are set in the app's configuration."""


def enum_of(topic: str) -> str:
    """The topic's name in the API, such as `ORDERS_PAID`."""
    return topic.upper().replace("/", "_")
