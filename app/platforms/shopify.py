"""Shopify: signed by the app's client secret over the body alone, so facts are read from the body and the topic only says its kind.

A replayed body under another topic or delivery id therefore tells nothing new. Orders come again and again as they change; each
time all that is visible in them is told, and known facts are told once.

A friend's share slug is taken from `landing_site` (`/?ref=SLUG`, where our landing page leads to) or from a note attribute named
`tenfold_ref` or `ref`, for themes that carry it through the cart themselves.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from app.base.text import one_line
from app.base.tokens import slug_brand
from app.customers.contact import ConsentStatement, Person
from app.platforms.checkout import normalize_delivery_id
from app.platforms.events import (
    CustomerErased,
    CustomerUpdated,
    Item,
    OrderCancelled,
    OrderDelivered,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    PlatformEvent,
    Refused,
    Unparseable,
    VerifiedDelivery,
)
from app.platforms.fields import Fields, load

NO_TOPIC = "unreadable"
"""The topic of a delivery that names none; parsing says so."""
PAID = frozenset({"paid", "partially_refunded", "refunded"})
"""Financial states in which an order's money has come in, even where some of it went back since."""
_ORDER_TOPICS = frozenset(
    {
        "orders/create",
        "orders/paid",
        "orders/updated",
        "orders/fulfilled",
        "orders/partially_fulfilled",
        "orders/cancelled",
    }
)
_PAID_JUST_NOW = frozenset({"orders/create", "orders/paid"})
_GIVEN = {"subscribed": True, "unsubscribed": False}
"""`not_subscribed`, `pending` and `redacted` say nothing: nobody objected, nobody agreed."""


def verify(
    headers: Mapping[str, str],
    raw: bytes,
    secrets: Sequence[str],
    *,
    now: datetime,  # noqa: ARG001  # the signature carries no time
) -> VerifiedDelivery:
    """What a signed delivery is about; `Refused` unless one of its signatures fits one of the secrets.

    Both header sets count, `X-Shopify-…` and the unprefixed ones of the newer deliveries; both secrets of a rotation do.
    """
    given = [
        value.encode("latin-1", "replace")
        for prefix in ("", "X-")
        if (value := headers.get(f"{prefix}Shopify-Hmac-Sha256"))
    ]
    fits = False
    for secret in filter(None, secrets):
        expected = base64.b64encode(hmac.digest(secret.encode(), raw, "sha256"))
        for signature in given:
            fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise Refused
    topic = _header(headers, "Topic")
    # The delivery's own id, not the event's: one event makes deliveries of several topics, and each tells something.
    repeated = (
        _header(headers, "Webhook-Id") or "body:" + hashlib.sha256(topic.encode() + b"\n" + raw).hexdigest()
    )
    return VerifiedDelivery(one_line(topic, limit=64) or NO_TOPIC, normalize_delivery_id(repeated))


def _header(headers: Mapping[str, str], name: str) -> str:
    return headers.get(f"Shopify-{name}") or headers.get(f"X-Shopify-{name}") or ""


def parse(topic: str, raw: bytes, *, received_at: datetime) -> list[PlatformEvent]:
    """What the delivery says, in our words, or nothing for what we do not use; `Unparseable` with the reason."""
    if topic == NO_TOPIC:
        raise Unparseable("The delivery's headers name no topic.")
    reader = _READERS.get(topic)
    if topic not in _ORDER_TOPICS and reader is None:
        return []
    body = load(raw)
    return _order(topic, body, received_at) if reader is None else reader(body, received_at)


def _order(topic: str, body: Fields, received_at: datetime) -> list[PlatformEvent]:
    order_id = body.id("id")
    told: list[PlatformEvent] = []
    if body.text("financial_status") in PAID:
        told.append(_paid(topic, body, order_id, received_at))
    parcels = body.objects("fulfillments")
    if body.text("fulfillment_status") == "fulfilled":
        sent = [
            at
            for parcel in parcels
            if parcel.text("status") == "success" and (at := parcel.moment("created_at"))
        ]
        told.append(
            OrderFulfilled(order_id, max(sent, default=None) or body.moment("updated_at") or received_at)
        )
        arrived = [
            parcel.moment("updated_at") or received_at
            for parcel in parcels
            if parcel.text("shipment_status") == "delivered"
        ]
        if arrived and len(arrived) == sum(parcel.text("status") == "success" for parcel in parcels):
            told.append(OrderDelivered(order_id, max(arrived)))
    for refund in body.objects("refunds"):
        told += _refund(refund, order_id, received_at)
    if cancelled_at := body.moment("cancelled_at"):
        told.append(OrderCancelled(order_id, cancelled_at))
    return told


def _paid(topic: str, body: Fields, order_id: str, received_at: datetime) -> OrderPaid:
    currency = body.currency("currency")
    placed_at = body.moment("processed_at") or body.moment("created_at") or received_at
    lines = body.amount_or_none("total_line_items_price", currency)
    address = body.object_or_empty("shipping_address")
    parts = (address.text(name) for name in ("address1", "address2", "zip", "city", "country_code"))
    return OrderPaid(
        order_id=order_id,
        number=body.text("name", limit=64) or order_id,
        placed_at=placed_at,
        # An invoice is paid weeks after it was placed; an order told again later does not say when it was paid.
        paid_at=body.moment("updated_at") if topic in _PAID_JUST_NOW else None,
        currency=currency,
        subtotal=body.amount("subtotal_price", currency) if lines is None else lines,
        total=body.amount("total_price", currency),
        discount_total=body.amount_or_none("total_discounts", currency) or 0,
        person=_buyer(body),
        discount_codes=tuple(
            code for entry in body.objects("discount_codes") if (code := entry.text("code", limit=100))
        ),
        referral=_referral(body),
        source=body.text("source_name", limit=64),
        tags=_tags(body),
        test=body.values.get("test") is True,
        items=tuple(_item(line, currency) for line in body.objects("line_items")),
        shipping_address=tuple(part for part in parts if part),
        shipping_country=address.country("country_code"),
    )


def _item(line: Fields, currency: str) -> Item:
    quantity = line.values.get("quantity")
    return Item(
        title=line.text("title") or line.text("name") or "",
        quantity=quantity if isinstance(quantity, int) and 0 <= quantity <= 10**9 else 1,
        sku=line.text("sku", limit=100),
        unit_price=line.amount_or_none("price", currency),
    )


def _tags(body: Fields) -> tuple[str, ...]:
    given = body.text("tags", limit=5000) or ""
    return tuple(tag for part in given.split(",") if (tag := part.strip()[:100]))


def _referral(body: Fields) -> str | None:
    """The share slug a friend came with; what cannot be one of ours (a campaign's own `ref`) is none."""
    said = {note.text("name"): note.text("value", limit=64) for note in body.objects("note_attributes")}
    try:
        query = parse_qs(urlsplit(body.text("landing_site", limit=2000) or "").query, max_num_fields=50)
    except ValueError:
        query = {}
    for slug in (said.get("tenfold_ref"), said.get("ref"), *query.get("ref", [])):
        if slug and slug_brand(slug.strip()) is not None:
            return slug.strip().lower()
    return None


def _buyer(body: Fields) -> Person:
    """Who bought. The customer's own number comes before the parcel's, since it is the one their consent to texts is about."""
    customer = body.object_or_empty("customer")
    shipping = body.object_or_empty("shipping_address")
    billing = body.object_or_empty("billing_address")
    known = _customer(customer)
    agreed = known.email_consent
    if agreed.given is None and body.values.get("buyer_accepts_marketing") is True:
        agreed = ConsentStatement(given=True, source="checkout")
    phones = (known.phone, *(place.text("phone", limit=64) for place in (body, shipping, billing)))
    emails = (body.text("email", limit=320), body.text("contact_email", limit=320), known.email)
    return Person(
        external_id=known.external_id,
        email=next(filter(None, emails), None),
        phone=next(filter(None, phones), None),
        first_name=known.first_name
        or shipping.text("first_name", limit=100)
        or billing.text("first_name", limit=100),
        last_name=known.last_name
        or shipping.text("last_name", limit=100)
        or billing.text("last_name", limit=100),
        locale=body.text("customer_locale", limit=35) or known.locale,
        country=shipping.country("country_code") or billing.country("country_code") or known.country,
        email_consent=agreed,
        sms_consent=known.sms_consent,
    )


def _customer(customer: Fields) -> Person:
    return Person(
        external_id=customer.id_or_none("id"),
        email=customer.text("email", limit=320),
        phone=customer.text("phone", limit=64),
        first_name=customer.text("first_name", limit=100),
        last_name=customer.text("last_name", limit=100),
        locale=customer.text("locale", limit=35),
        country=customer.object_or_empty("default_address").country("country_code"),
        email_consent=_consent(customer.object_("email_marketing_consent")),
        sms_consent=_consent(customer.object_("sms_marketing_consent")),
    )


def _consent(said: Fields | None) -> ConsentStatement:
    if said is None:
        return ConsentStatement()
    return ConsentStatement(
        given=_GIVEN.get(said.text("state") or ""),
        opt_in_level=said.text("opt_in_level", limit=64),
        source=said.text("consent_collected_from", limit=64) or "shopify",
        at=said.moment("consent_updated_at"),
    )


def _parcel(parcel: Fields, received_at: datetime) -> list[PlatformEvent]:
    if parcel.text("status") != "success":
        return []
    order_id = parcel.id("order_id")
    told: list[PlatformEvent] = [OrderFulfilled(order_id, parcel.moment("created_at") or received_at)]
    if parcel.text("shipment_status") == "delivered":
        told.append(OrderDelivered(order_id, parcel.moment("updated_at") or received_at))
    return told


def _journey(event: Fields, received_at: datetime) -> list[PlatformEvent]:
    if event.text("status") != "delivered":
        return []
    return [
        OrderDelivered(
            event.id("order_id"), event.moment("happened_at") or event.moment("created_at") or received_at
        )
    ]


def _returned(refund: Fields, received_at: datetime) -> list[PlatformEvent]:
    return _refund(refund, refund.id("order_id"), received_at)


def _refund(refund: Fields, order_id: str, received_at: datetime) -> list[PlatformEvent]:
    """The refund, once money really went back; goods returned without money are none."""
    amount = _refunded_amount(refund)
    if not amount:
        return []
    at = refund.moment("processed_at") or refund.moment("created_at") or received_at
    return [OrderRefunded(order_id, refund.id("id"), amount, at)]


def _refunded_amount(refund: Fields) -> Decimal:
    """In the shop's currency. A payment in the buyer's own currency is told by what was returned, which is priced in both."""
    paid_back = [
        part
        for part in refund.objects("transactions")
        if (part.text("kind"), part.text("status")) == ("refund", "success")
    ]
    ours = refund.object_or_empty("total_duties_set").object_or_empty("shop_money").text("currency_code")
    if ours is None or all(part.text("currency") in (None, ours) for part in paid_back):
        return sum((part.decimal("amount") for part in paid_back), Decimal(0))
    returned = [
        line.object_or_empty(name)
        for line in refund.objects("refund_line_items")
        for name in ("subtotal_set", "total_tax_set")
    ]
    priced = [entry.object_("shop_money") for entry in returned]
    amount = sum((entry.decimal("amount") for entry in priced if entry), Decimal(0))
    if not amount:
        raise refund.wrong(
            "transactions",
            "paid back in another currency than the shop's, and no returned goods tell how much that is",
        )
    return amount


def _changed(customer: Fields, received_at: datetime) -> list[PlatformEvent]:
    return [CustomerUpdated(_customer(customer), customer.moment("updated_at") or received_at)]


def _erased(body: Fields, _received_at: datetime) -> list[PlatformEvent]:
    # A request for data has the same customer object; only this list tells that a person is to be forgotten.
    if not isinstance(body.values.get("orders_to_redact"), list):
        raise body.wrong("orders_to_redact", "is missing")
    customer = body.object_or_empty("customer")
    erased = CustomerErased(
        customer.id_or_none("id"), customer.text("email", limit=320), customer.text("phone", limit=64)
    )
    if not (erased.external_id or erased.email or erased.phone):
        raise body.wrong("customer", "must say who is to be forgotten")
    return [erased]


_READERS: Mapping[str, Callable[[Fields, datetime], list[PlatformEvent]]] = {
    "fulfillments/create": _parcel,
    "fulfillments/update": _parcel,
    "fulfillment_events/create": _journey,
    "refunds/create": _returned,
    "customers/update": _changed,
    "customers/redact": _erased,
}
