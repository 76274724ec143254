"""Orders in Shopify's bodies.

The share slug that a friend came with is read from `landing_site`, the first address of the visit,
or from a note attribute `tenfold_ref` or `ref`, for themes that carry it through the cart. Our
landing page leads to `/discount/CODE?redirect=/?ref=SLUG`, which is the address that Shopify notes.
"""

from collections.abc import Mapping
from datetime import timedelta

from app.platforms.delivery_types import RawDelivery
from app.platforms.events import CodeDiscount, Item, OrderCancelled, OrderPaid, PlatformEvent, address_parts
from app.platforms.fields import Fields
from app.platforms.links import first_slug, query_of
from app.platforms.shopify.edits import KeptLine, kept_lines, placed_subtotal, present_total, shipping_total
from app.platforms.shopify.parcels import read_parcels
from app.platforms.shopify.people import read_buyer
from app.platforms.shopify.refunds import ShopMoney, read_refund

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
TAKEN_OVER_AFTER = timedelta(days=14)
"""Who moves a shop to Shopify enters its orders there with the time at which they were placed. A
till that was offline, or a marketplace, is later by hours or days."""
_OF_SHOPIFY = frozenset({"web", "pos", "shopify_draft_order", "iphone", "android"})
"""Sources that no app may give its orders: nobody has brought along what came by one of them."""


def read_order(delivery: RawDelivery, body: Fields) -> list[PlatformEvent]:
    """Everything that the present state of an order shows.

    Raises `Unparseable` for an order without an id, a currency or a total; what else cannot be read
    is left out.
    """
    order_id = body.id("id")
    known = body.informational
    events: list[PlatformEvent] = []
    if known.text("financial_status") in PAID:
        events.append(_paid(delivery, body, order_id))
    events += read_parcels(known, order_id, delivery.received_at)
    if refunds := known.objects("refunds"):
        money = ShopMoney.of_order(known)
        for refund in refunds:
            events += read_refund(refund, order_id, delivery.received_at, money)
    if cancelled_at := known.moment("cancelled_at"):
        events.append(OrderCancelled(order_id, cancelled_at))
    return events


def _paid(delivery: RawDelivery, body: Fields, order_id: str) -> OrderPaid:
    currency = body.currency("currency")
    known = body.informational
    address = known.object_or_empty("shipping_address")
    updated_at = known.moment("updated_at")
    created_at = known.moment("created_at")
    placed_at = known.moment("processed_at") or created_at
    taken_over = bool(
        placed_at
        and created_at
        and created_at - placed_at > TAKEN_OVER_AFTER
        and known.text("source_name") not in _OF_SHOPIFY
    )
    # An invoice is paid weeks after it was placed; later deliveries do not show when.
    paid_just_now = delivery.topic in _PAID_JUST_NOW and not taken_over
    total, lines, discounts = present_total(body, currency), kept_lines(known), _discounts(known, currency)
    return OrderPaid(
        order_id=order_id,
        number=known.text("name", limit=64) or order_id,
        placed_at=placed_at or delivery.received_at,
        placed_at_stated=placed_at is not None,
        version_at=updated_at or delivery.received_at,
        paid_at=updated_at if paid_just_now else None,
        currency=currency,
        subtotal=placed_subtotal(known, currency, total, lines),
        total=total,
        discount_total=known.amount_or_none("total_discounts", currency),
        shipping_total=shipping_total(known, currency),
        refunded_wholly=known.text("financial_status") == "refunded",
        person=read_buyer(known),
        discount_codes=_codes(known),
        discounts=discounts,
        referral=_referral(known),
        source=known.text("source_name", limit=64),
        tags=_tags(known),
        test=body.values.get("test") is True,
        history=taken_over,
        # A survey asks about the first one: no tip, no insurance, where anything was shipped.
        items=tuple(_item(line, currency) for line in sorted(lines, key=_needs_no_shipping)),
        shipping_address=_address(address),
        shipping_country=address.country("country_code"),
        confirmation=known.text("confirmation_number", limit=64),
        # No webhook has it: `order_body` writes it of what the API counts and does not show.
        ordered_before=known.object_or_empty("customer").values.get("orders_withheld") is True,
    )


def _codes(body: Fields) -> tuple[str, ...]:
    entries = body.objects("discount_codes")
    return tuple(code for entry in entries if (code := entry.text("code", limit=100)))


def _discounts(body: Fields, currency: str) -> tuple[CodeDiscount, ...]:
    """What each code took off, which Shopify states beside it."""
    found = []
    for entry in body.objects("discount_codes"):
        code, amount = entry.text("code", limit=100), entry.amount_or_none("amount", currency)
        if code is not None and amount is not None:
            found.append(CodeDiscount(code, amount))
    return tuple(found)


def _address(address: Fields) -> tuple[str, ...]:
    return address_parts(
        [address.text(name) for name in ("address1", "address2", "zip", "city", "country_code")]
    )


def _needs_no_shipping(line: KeptLine) -> bool:
    return line.fields.values.get("requires_shipping") is False


def _item(line: KeptLine, currency: str) -> Item:
    return Item(
        title=line.fields.text("title") or line.fields.text("name") or "",
        quantity=line.quantity,
        sku=line.fields.text("sku", limit=100),
        unit_price=line.fields.signed_amount("price", currency),
    )


def _tags(body: Fields) -> tuple[str, ...]:
    """One text with commas; some apps write a list."""
    text = body.text("tags", limit=5000) or ",".join(body.texts("tags"))
    return tuple(tag for part in text.split(",") if (tag := part.strip()[:100]))


def _referral(body: Fields) -> str | None:
    notes = _notes(body)
    query = query_of(body.text("landing_site", limit=2000) or "")
    redirected = [ref for target in query.get("redirect", []) for ref in query_of(target).get("ref", [])]
    return first_slug((notes.get("tenfold_ref"), notes.get("ref"), *query.get("ref", []), *redirected))


def _notes(body: Fields) -> Mapping[str | None, str | None]:
    """The cart's attributes by name: a list of names and values, or one object."""
    pairs = body.objects("note_attributes")
    if pairs:
        return {pair.text("name"): pair.text("value", limit=64) for pair in pairs}
    notes = body.object_or_empty("note_attributes")
    return {name: notes.text(name, limit=64) for name in ("tenfold_ref", "ref")}
