"""The parts of Shopify's bodies that are used, as OpenAPI documents them, with examples."""

from collections.abc import Sequence

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.platforms.documentation import WebhookDocumentation, WebhookExample


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow")


class ShopifyCustomer(_Part):
    """A customer; also the body of `customers/update`."""

    id: int
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class ShopifyDiscountCode(_Part):
    """A code that the order was paid with."""

    code: str
    amount: str
    type: str


class ShopifyDelivery(_Part):
    """Shopify's own body of the topic in `X-Shopify-Topic`; these are an order's fields.

    Topics that are not used are accepted and ignored.
    """

    id: int = Field(description="The order's, refund's, fulfilment's or customer's.")
    order_id: int | None = Field(default=None, description="In refunds and fulfilments.")
    name: str | None = Field(default=None, description="The order's number.")
    created_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None
    currency: str | None = None
    financial_status: str | None = None
    subtotal_price: str | None = None
    total_price: str | None = None
    total_discounts: str | None = None
    discount_codes: Sequence[ShopifyDiscountCode] | None = None
    customer: ShopifyCustomer | None = None


_AT = "2026-03-10T13:00:00+01:00"
_ORDER = {
    "id": 820982911946154508,
    "name": "#1042",
    "created_at": _AT,
    "updated_at": _AT,
    "processed_at": _AT,
    "currency": "EUR",
    "financial_status": "paid",
    "subtotal_price": "80.00",
    "total_price": "72.00",
    "total_discounts": "8.00",
    "discount_codes": [{"code": "ANA-7K4QX", "amount": "8.00", "type": "percentage"}],
    "email": "leo@example.com",
    "customer": {"id": 7, "email": "leo@example.com", "first_name": "Leo", "last_name": "Ito"},
    "line_items": [{"sku": "MUG", "title": "Mug", "quantity": 1, "price": "80.00"}],
    "refunds": [],
    "fulfillments": [],
}
DOCUMENTATION = WebhookDocumentation(
    headers={
        "X-Shopify-Hmac-Sha256": "The base64 of HMAC-SHA256 over the body, by the app's secret. "
        "The newer name without `X-` is read too, as for the other headers.",
        "X-Shopify-Topic": "What the delivery is about, such as `orders/paid`.",
        "X-Shopify-Webhook-Id": "The delivery's id; a repeated delivery has the same.",
    },
    body=ShopifyDelivery,
    examples={"orders/paid": WebhookExample(_ORDER, {"X-Shopify-Topic": "orders/paid"})},
)
"""The endpoint `/hooks/{shop}/shopify`."""
