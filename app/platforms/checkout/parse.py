"""Parse the events in a checkout's bodies."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from app.customers.person import ConsentStatement, Person
from app.platforms.consent_words import consent_of_word
from app.platforms.delivery_types import RawDelivery
from app.platforms.events import (
    CodeDiscount,
    CustomerErased,
    CustomerUpdated,
    DisputeStatus,
    Item,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    PlatformEvent,
    address_parts,
)
from app.platforms.fields import Fields, load


def parse(delivery: RawDelivery) -> list[PlatformEvent]:
    """One event, or none for a type that is not used. Raises `Unparseable`.

    A fact without a time of its own took place at the envelope's `timestamp`, else when the
    delivery was received.
    """
    return parse_event(load(delivery.body), delivery.received_at)


def parse_event(body: Fields, received_at: datetime) -> list[PlatformEvent]:
    """As `parse`, of a body that is read already."""
    kind = body.text("type")
    if kind is None:
        raise body.wrong("type", "is missing; it says what the delivery is about, such as order.paid")
    if kind not in _READERS:
        return []
    data = body.object_("data")
    if data is None:
        raise body.wrong("data", "is missing")
    at = body.informational.moment("timestamp") or received_at
    return [_READERS[kind](data, at)]


def read_order(data: Fields, default_time: datetime) -> OrderPaid:
    """An order as `order.paid` and the redeem API carry it. Raises `Unparseable`.

    Only its id, its currency and its total are required; what else cannot be read is left out.
    `default_time` is when it was placed where `placed_at` is absent, and when it was as it is here
    where `updated_at` is.
    """
    order_id = data.id("id")
    currency = data.currency("currency")
    total = data.amount("total", currency)
    known = data.informational
    address = known.object_or_empty("shipping_address")
    country = address.country("country")
    parts = [address.text(name) for name in ("line1", "line2", "postal_code", "city", "country")]
    placed_at, discounts = known.moment("placed_at"), _discounts(known, currency)
    codes = (*known.texts("discount_codes"), *(each.code for each in discounts))
    return OrderPaid(
        order_id=order_id,
        number=known.text("number", limit=64) or order_id,
        placed_at=placed_at or default_time,
        placed_at_stated=placed_at is not None,
        version_at=known.moment("updated_at") or default_time,
        currency=currency,
        subtotal=known.amount_or_none("subtotal", currency),
        total=total,
        discount_total=known.amount_or_none("discount_total", currency),
        shipping_total=known.amount_or_none("shipping_total", currency),
        person=read_person(known.object_or_empty("customer"), country),
        discount_codes=tuple(dict.fromkeys(codes)),
        discounts=discounts,
        referral=known.text("referral", limit=64),
        source=known.text("source", limit=64),
        tags=known.texts("tags"),
        test=data.values.get("test") is True,
        trial=data.values.get("trial") is True,
        items=tuple(_item(line, currency) for line in known.objects("items")),
        shipping_address=address_parts(parts),
        shipping_country=country,
        payment_fingerprint=known.text("payment_fingerprint"),
    )


def _discounts(data: Fields, currency: str) -> tuple[CodeDiscount, ...]:
    """What each code took off; some shops write that below zero."""
    found = []
    for entry in data.objects("discounts"):
        code, amount = entry.text("code", limit=100), entry.signed_amount("amount", currency)
        if code is not None and amount is not None:
            found.append(CodeDiscount(code, abs(amount)))
    return tuple(found)


def _item(line: Fields, currency: str) -> Item:
    absent = line.values.get("quantity") is None
    return Item(
        title=line.text("title") or line.text("sku") or "",
        quantity=1 if absent else line.quantity("quantity"),
        sku=line.text("sku", limit=100),
        unit_price=line.signed_amount("unit_price", currency),
    )


def read_person(customer: Fields, shipping_country: str | None = None) -> Person:
    """A customer object, and where the order is shipped to. Raises `Unparseable`."""
    return Person(
        external_id=customer.id_or_none("id"),
        email=customer.text("email", limit=320),
        phone=customer.text("phone", limit=64),
        first_name=customer.text("first_name", limit=100),
        last_name=customer.text("last_name", limit=100),
        locale=customer.text("locale", limit=35),
        time_zone=customer.text("time_zone", limit=64),
        country=customer.country("country"),
        shipping_country=shipping_country,
        email_consent=_consent(customer, "email_consent"),
        sms_consent=_consent(customer, "sms_consent"),
    )


def _consent(customer: Fields, name: str) -> ConsentStatement:
    """True, false, null, or an object with a `state`; an unknown state is no statement."""
    value = customer.values.get(name)
    if value is None:
        return ConsentStatement()
    if isinstance(value, bool):
        return ConsentStatement(given=value)
    statement = customer.object_(name)
    if statement is None:
        return ConsentStatement()
    state = statement.values.get("state")
    text = str(state) if isinstance(state, bool) else statement.text("state") or ""
    return ConsentStatement(
        given=consent_of_word(text),
        opt_in_level=statement.text("opt_in_level", limit=64),
        source=statement.text("source", limit=64),
        at=statement.moment("at"),
    )


def _at(data: Fields, default_time: datetime) -> datetime:
    """When a fact took place; a time that cannot be read is none."""
    return data.informational.moment("at") or default_time


def _fulfilled(data: Fields, default_time: datetime) -> OrderFulfilled:
    partial = data.values.get("partial") is True
    return OrderFulfilled(data.id("order_id"), _at(data, default_time), partial)


def _delivered(data: Fields, default_time: datetime) -> OrderDelivered:
    partial = data.values.get("partial") is True
    return OrderDelivered(data.id("order_id"), _at(data, default_time), partial)


def _cancelled(data: Fields, default_time: datetime) -> OrderCancelled:
    return OrderCancelled(data.id("order_id"), _at(data, default_time))


def _refunded(data: Fields, default_time: datetime) -> OrderRefunded:
    amount = data.decimal("amount")
    shipping = data.informational.decimal_or_none("shipping") or Decimal(0)
    at = _at(data, default_time)
    return OrderRefunded(data.id("order_id"), data.id("refund_id"), amount, at, min(shipping, amount))


def _disputed(data: Fields, default_time: datetime) -> OrderDisputed:
    given = (data.text("status") or "").lower()
    if given not in set(DisputeStatus):
        raise data.wrong("status", "must be open, won or lost")
    return OrderDisputed(
        data.id("order_id"),
        data.id("dispute_id"),
        DisputeStatus(given),
        _at(data, default_time),
        data.informational.decimal_or_none("amount"),
    )


def _updated(data: Fields, default_time: datetime) -> CustomerUpdated:
    return CustomerUpdated(read_person(data), default_time)


def _erased(data: Fields, _default_time: datetime) -> CustomerErased:
    erased = CustomerErased(
        data.id_or_none("id"), data.text("email", limit=320), data.text("phone", limit=64)
    )
    if not (erased.external_id or erased.email or erased.phone):
        raise data.wrong("id", "or email must say who is to be erased")
    return erased


_READERS: Mapping[str, Callable[[Fields, datetime], PlatformEvent]] = {
    "order.paid": read_order,
    "order.updated": read_order,
    "order.fulfilled": _fulfilled,
    "order.delivered": _delivered,
    "order.refunded": _refunded,
    "order.cancelled": _cancelled,
    "order.disputed": _disputed,
    "customer.updated": _updated,
    "customer.erased": _erased,
}
