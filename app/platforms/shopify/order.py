"""Orders in Shopify's bodies.

The share slug that a friend came with is read from `landing_site` (`/?ref=SLUG`, where our landing
page leads to) or from a note attribute `tenfold_ref` or `ref`, for themes that carry it through the
cart.
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from app.base.tokens import slug_brand
from app.platforms.events import (
    Item,
    OrderCancelled,
    OrderDelivered,
    OrderFulfilled,
    OrderPaid,
    PlatformEvent,
)
from app.platforms.fields import Fields
from app.platforms.protocol import RawDelivery
from app.platforms.shopify.people import read_buyer
from app.platforms.shopify.refunds import read_refund

PAID = frozenset({"paid", "partially_refunded", "refunded"})
"""Financial states of an order that was paid, even where some of it was refunded since."""
ORDER_TOPICS = frozenset(
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


def read_order(delivery: RawDelivery, body: Fields) -> list[PlatformEvent]:
    """Everything that the present state of an order shows. Raises `Unparseable`."""
    order_id = body.id("id")
    events: list[PlatformEvent] = []
    if body.text("financial_status") in PAID:
        events.append(_paid(delivery, body, order_id))
    if body.text("fulfillment_status") == "fulfilled":
        events += _fulfillments(body, order_id, delivery.received_at)
    for refund in body.objects("refunds"):
        events += read_refund(refund, order_id, delivery.received_at)
    if cancelled_at := body.moment("cancelled_at"):
        events.append(OrderCancelled(order_id, cancelled_at))
    return events


def _fulfillments(body: Fields, order_id: str, received_at: datetime) -> list[PlatformEvent]:
    """Fulfilled with the last parcel; delivered once all parcels are."""
    parcels = body.objects("fulfillments")
    sent = [parcel for parcel in parcels if parcel.text("status") == "success"]
    sent_at = max((at for parcel in sent if (at := parcel.moment("created_at"))), default=None)
    events: list[PlatformEvent] = [
        OrderFulfilled(order_id, sent_at or body.moment("updated_at") or received_at)
    ]
    arrived = [parcel for parcel in parcels if parcel.text("shipment_status") == "delivered"]
    if arrived and len(arrived) == len(sent):
        times = [parcel.moment("updated_at") or received_at for parcel in arrived]
        events.append(OrderDelivered(order_id, max(times)))
    return events


def _paid(delivery: RawDelivery, body: Fields, order_id: str) -> OrderPaid:
    currency = body.currency("currency")
    lines = body.amount_or_none("total_line_items_price", currency)
    address = body.object_or_empty("shipping_address")
    return OrderPaid(
        order_id=order_id,
        number=body.text("name", limit=64) or order_id,
        placed_at=body.moment("processed_at") or body.moment("created_at") or delivery.received_at,
        # An invoice is paid weeks after it was placed; later deliveries do not show when.
        paid_at=body.moment("updated_at") if delivery.topic in _PAID_JUST_NOW else None,
        currency=currency,
        subtotal=body.amount("subtotal_price", currency) if lines is None else lines,
        total=body.amount("total_price", currency),
        discount_total=body.amount_or_none("total_discounts", currency) or 0,
        person=read_buyer(body),
        discount_codes=_codes(body),
        referral=_referral(body),
        source=body.text("source_name", limit=64),
        tags=_tags(body),
        test=body.values.get("test") is True,
        items=tuple(_item(line, currency) for line in body.objects("line_items")),
        shipping_address=_address(address),
        shipping_country=address.country("country_code"),
    )


def _codes(body: Fields) -> tuple[str, ...]:
    entries = body.objects("discount_codes")
    return tuple(code for entry in entries if (code := entry.text("code", limit=100)))


def _address(address: Fields) -> tuple[str, ...]:
    parts = (address.text(name) for name in ("address1", "address2", "zip", "city", "country_code"))
    return tuple(part for part in parts if part)


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
    """The share slug; a value that cannot be one of ours (a campaign's own `ref`) is none."""
    notes = {note.text("name"): note.text("value", limit=64) for note in body.objects("note_attributes")}
    query = _query(body.text("landing_site", limit=2000) or "")
    for slug in (notes.get("tenfold_ref"), notes.get("ref"), *query.get("ref", [])):
        if slug and slug_brand(slug.strip()) is not None:
            return slug.strip().lower()
    return None


def _query(address: str) -> Mapping[str, list[str]]:
    try:
        return parse_qs(urlsplit(address).query, max_num_fields=50)
    except ValueError:
        return {}
