"""The parts of WooCommerce's bodies that are used, as OpenAPI documents them, with examples."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from app.platforms.documentation import WebhookDocumentation, WebhookExample


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class WooCommerceAddress(_Part):
    """An address; that for bills has the buyer's e-mail address and number."""

    first_name: str | None = None
    last_name: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    city: str | None = None
    postcode: str | None = None
    country: str | None = None
    email: str | None = None
    phone: str | None = None


class WooCommerceCoupon(_Part):
    """A code that the order was paid with."""

    code: str
    discount: str
    discount_tax: str


class WooCommerceRefund(_Part):
    """A refund of the order; its total is below zero."""

    id: int
    total: str


class WooCommerceDelivery(_Part):
    """WooCommerce's own body of the topic in `X-WC-Webhook-Topic`; these are an order's fields.

    Topics that are not used are accepted and ignored.
    """

    id: int = Field(description="The order's or customer's.")
    number: str | None = None
    status: str | None = Field(default=None, description="Such as `processing` or `completed`.")
    currency: str | None = None
    date_created_gmt: str | None = Field(default=None, description="In UTC, without a zone.")
    date_modified_gmt: str | None = None
    date_paid_gmt: str | None = None
    date_completed_gmt: str | None = None
    total: str | None = Field(default=None, description="With taxes; all other amounts are without.")
    discount_total: str | None = None
    discount_tax: str | None = None
    shipping_total: str | None = None
    shipping_tax: str | None = None
    customer_id: int | None = Field(default=None, description="0 for a guest.")
    billing: WooCommerceAddress | None = None
    shipping: WooCommerceAddress | None = None
    coupon_lines: Sequence[WooCommerceCoupon] | None = None
    refunds: Sequence[WooCommerceRefund] | None = None


_ORDER = {
    "id": 1042,
    "number": "1042",
    "status": "processing",
    "currency": "EUR",
    "date_created_gmt": "2026-03-10T12:00:00",
    "date_modified_gmt": "2026-03-10T12:00:05",
    "date_paid_gmt": "2026-03-10T12:00:04",
    "date_completed_gmt": None,
    "discount_total": "6.72",
    "discount_tax": "1.28",
    "shipping_total": "0.00",
    "shipping_tax": "0.00",
    "total": "72.00",
    "customer_id": 7,
    "billing": {
        "first_name": "Leo",
        "last_name": "Ito",
        "country": "DE",
        "email": "leo@example.com",
        "phone": "030 1234567",
    },
    "shipping": {"first_name": "Leo", "last_name": "Ito", "city": "Berlin", "country": "DE"},
    "line_items": [
        {"name": "Mug", "sku": "MUG", "quantity": 1, "subtotal": "67.23", "subtotal_tax": "12.77"}
    ],
    "coupon_lines": [{"code": "ana-7k4qx", "discount": "6.72", "discount_tax": "1.28"}],
    "refunds": [],
}
_CUSTOMER = {
    "id": 7,
    "username": "leo",
    "email": "leo@example.com",
    "first_name": "Leo",
    "last_name": "Ito",
    "date_modified_gmt": "2026-03-10T12:00:00",
    "billing": {"email": "leo@example.com", "country": "DE"},
}
DOCUMENTATION = WebhookDocumentation(
    headers={
        "X-WC-Webhook-Signature": "The base64 of HMAC-SHA256 over the body, by the webhook's secret. "
        "Only the ping, a form with `webhook_id`, has none: it gets 200 and is not kept.",
        "X-WC-Webhook-Topic": "What the delivery is about, such as `order.updated`.",
    },
    body=WooCommerceDelivery,
    examples={
        "order.updated": WebhookExample(_ORDER, {"X-WC-Webhook-Topic": "order.updated"}),
        "customer.updated": WebhookExample(_CUSTOMER, {"X-WC-Webhook-Topic": "customer.updated"}),
    },
)
"""The endpoint `/hooks/{shop}/woocommerce`."""
