"""The bodies of a checkout's deliveries as OpenAPI documents them, and an example of each type.

`parse` reads them: it ignores unknown fields, and money may be a decimal string or a number.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from app.platforms.documentation import WebhookDocumentation, WebhookExample

Amount = str | float
"""A decimal string such as `"80.00"`, or a JSON number."""
At = Annotated[
    AwareDatetime | None, Field(description="When it took place; the envelope's `timestamp` if absent.")
]


class ConsentState(BaseModel):
    """A consent with its circumstances."""

    state: str | bool | None = Field(
        default=None, description="Such as `subscribed` or `unsubscribed`; without it nothing is said."
    )
    opt_in_level: str | None = None
    source: str | None = None
    at: AwareDatetime | None = None


Consent = Annotated[
    bool | ConsentState | None,
    Field(description="False means never, true yes; null leaves what is known."),
]


class CheckoutCustomer(BaseModel):
    """A buyer; an e-mail or phone identifies most people."""

    id: str | int | None = Field(default=None, description="The shop's own id of the person.")
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = Field(default=None, description="ISO 3166, two letters.")
    email_consent: Consent = None
    sms_consent: Consent = None


class CheckoutItem(BaseModel):
    """One line of an order."""

    sku: str | None = None
    title: str | None = None
    quantity: str | float | None = Field(default=None, description="1 if absent; not negative.")
    unit_price: Amount | None = Field(default=None, description="Below zero for a discount.")


class CheckoutDiscount(BaseModel):
    """What one code took off."""

    code: str
    amount: Amount


class CheckoutAddress(BaseModel):
    """A shipping address."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None


class CheckoutOrder(BaseModel):
    """A paid order. Ids are unique within the shop.

    Only id, currency and total are required: what cannot be read in the rest is left out. Amounts
    are rounded half up to the currency's decimals.
    """

    id: str | int
    number: str | int | None = Field(default=None, description="As people know it; the id if absent.")
    placed_at: At = None
    updated_at: AwareDatetime | None = Field(
        default=None,
        description="The newest version of an order counts; the envelope's `timestamp` if absent.",
    )
    currency: str = Field(description="ISO 4217.")
    subtotal: Amount | None = Field(default=None, description="Goods before discounts; the total if absent.")
    total: Amount = Field(description="What was paid, with shipping.")
    discount_total: Amount | None = None
    shipping_total: Amount | None = Field(default=None, description="The shipping in `total`.")
    discount_codes: Sequence[str] | None = None
    discounts: Sequence[CheckoutDiscount] | None = Field(
        default=None, description="What the codes took off; it is believed."
    )
    referral: str | None = Field(default=None, description="The share slug that the friend came with.")
    source: str | None = None
    tags: Sequence[str] | None = None
    test: bool | None = Field(default=None, description="Never surveyed, and its codes do not count.")
    trial: bool | None = Field(
        default=None,
        description="Surveyed at once, and left out of figures, budgets and newness; as first reported.",
    )
    customer: CheckoutCustomer | None = None
    items: Sequence[CheckoutItem] | None = None
    shipping_address: CheckoutAddress | None = None
    payment_fingerprint: str | None = None


class OrderFact(BaseModel):
    """Something that happened to an order."""

    order_id: str | int
    at: At = None


class OrderShipment(OrderFact):
    """An order was sent off or arrived."""

    partial: bool = Field(default=False, description="Only some of it: that is known and triggers nothing.")


class OrderRefund(OrderFact):
    """A refund of an order, in whole or in part."""

    refund_id: str | int
    amount: Amount = Field(description="In the order's currency.")
    shipping: Amount | None = Field(default=None, description="The part of `amount` that is shipping.")


class OrderDispute(OrderFact):
    """A chargeback of an order's payment; the latest `at` decides."""

    dispute_id: str | int
    status: Literal["open", "won", "lost"] = Field(description="For the shop.")
    amount: Amount | None = None


class CustomerReference(BaseModel):
    """A person, named by at least one of the three."""

    id: str | int | None = None
    email: str | None = None
    phone: str | None = None


class _Envelope(BaseModel):
    timestamp: AwareDatetime | None = Field(
        default=None, description="When the event was made; when it was received if absent."
    )


class OrderPaidEvent(_Envelope):
    """An order was paid, or a paid order was changed."""

    type: Literal["order.paid", "order.updated"]
    data: CheckoutOrder


class OrderShipmentEvent(_Envelope):
    """An order was fulfilled or delivered."""

    type: Literal["order.fulfilled", "order.delivered"]
    data: OrderShipment


class OrderCancelledEvent(_Envelope):
    """An order was cancelled."""

    type: Literal["order.cancelled"]
    data: OrderFact


class OrderRefundedEvent(_Envelope):
    """Money was paid back."""

    type: Literal["order.refunded"]
    data: OrderRefund


class OrderDisputedEvent(_Envelope):
    """The buyer's bank disputes the payment, or has decided."""

    type: Literal["order.disputed"]
    data: OrderDispute


class CustomerUpdatedEvent(_Envelope):
    """A person's contact data or consent changed."""

    type: Literal["customer.updated"]
    data: CheckoutCustomer


class CustomerErasedEvent(_Envelope):
    """A person asked for their data to be erased."""

    type: Literal["customer.erased"]
    data: CustomerReference


class CheckoutEvent(
    RootModel[
        Annotated[
            OrderPaidEvent
            | OrderShipmentEvent
            | OrderCancelledEvent
            | OrderRefundedEvent
            | OrderDisputedEvent
            | CustomerUpdatedEvent
            | CustomerErasedEvent,
            Field(discriminator="type"),
        ]
    ]
):
    """A checkout's delivery. Deliveries of other types are accepted and ignored."""


_AT = "2026-03-10T12:00:00Z"
_CUSTOMER = {
    "id": "7",
    "email": "leo@example.com",
    "phone": None,
    "first_name": "Leo",
    "last_name": "Ito",
    "locale": "de",
    "time_zone": "Europe/Berlin",
    "country": "DE",
    "email_consent": True,
    "sms_consent": None,
}
_ORDER = {
    "id": "1042",
    "number": "#1042",
    "placed_at": _AT,
    "currency": "EUR",
    "subtotal": "80.00",
    "total": "72.00",
    "discount_total": "8.00",
    "shipping_total": "0.00",
    "discount_codes": ["ANA-7K4QX"],
    "discounts": [{"code": "ANA-7K4QX", "amount": "8.00"}],
    "referral": None,
    "source": "web",
    "tags": [],
    "test": False,
    "trial": False,
    "customer": _CUSTOMER,
    "items": [{"sku": "MUG", "title": "Mug", "quantity": 1, "unit_price": "80.00"}],
    "shipping_address": {
        "line1": "Hauptstr. 1",
        "line2": None,
        "city": "Berlin",
        "postal_code": "10115",
        "country": "DE",
    },
    "payment_fingerprint": None,
}
_FACT = {"order_id": "1042", "at": _AT}
_DATA: Mapping[str, Mapping[str, object]] = {
    "order.paid": _ORDER,
    "order.updated": {**_ORDER, "updated_at": _AT},
    "order.fulfilled": {**_FACT, "partial": False},
    "order.delivered": {**_FACT, "partial": False},
    "order.refunded": {**_FACT, "refund_id": "r1", "amount": "36.00", "shipping": "0.00"},
    "order.cancelled": _FACT,
    "order.disputed": {**_FACT, "dispute_id": "d1", "status": "open", "amount": "72.00"},
    "customer.updated": _CUSTOMER,
    "customer.erased": {"id": "7", "email": "leo@example.com"},
}
DOCUMENTATION = WebhookDocumentation(
    headers={
        "webhook-id": "The delivery's id; a repeated delivery has the same.",
        "webhook-timestamp": "Unix seconds; at most 300 from our clock.",
        "webhook-signature": "Standard Webhooks: `v1,` and the base64 of HMAC-SHA256 over "
        "`{webhook-id}.{webhook-timestamp}.{body}`.",
    },
    body=CheckoutEvent,
    examples={
        kind: WebhookExample({"type": kind, "timestamp": _AT, "data": data}, {})
        for kind, data in _DATA.items()
    },
)
"""The endpoint `/hooks/{shop}/checkout`; examples by type, in an order that could happen."""
