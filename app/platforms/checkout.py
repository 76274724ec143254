"""Checkouts of one's own: signed by Standard Webhooks, in the shape that our own documentation gives."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import orjson

from app.customers.contact import ConsentStatement, Person
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

TOLERANCE_SECONDS = 300
"""How far a delivery's time may lie from ours, on either side; Standard Webhooks' libraries use the same."""
UNREADABLE = "unreadable"
"""The topic of a delivery whose type cannot be told; parsing says why."""
_STAMP = re.compile(r"[0-9]{1,12}")
_TOPIC = re.compile(r"[A-Za-z0-9_./:-]{1,64}")
_PLAIN_ID = re.compile(r"[!-~]{1,128}")
_YES = frozenset(
    {"subscribed", "granted", "given", "confirmed", "accepted", "opted_in", "opt_in", "yes", "true"}
)
_NO = frozenset(
    {
        "unsubscribed",
        "denied",
        "refused",
        "declined",
        "withdrawn",
        "revoked",
        "opted_out",
        "opt_out",
        "no",
        "false",
    }
)


def verify(
    headers: Mapping[str, str], raw: bytes, secrets: Sequence[str], *, now: datetime
) -> VerifiedDelivery:
    """What a signed delivery is about; `Refused` unless one of its `v1` signatures fits one of the secrets and its time is near."""
    message_id = headers.get("webhook-id") or ""
    stamp = headers.get("webhook-timestamp") or ""
    if not message_id or not _STAMP.fullmatch(stamp) or abs(now.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise Refused
    # A header's text is its bytes read as latin-1, and the bytes are what was signed.
    signed = f"{message_id}.{stamp}.".encode("latin-1", "replace") + raw
    given = [
        part[3:].encode("latin-1", "replace")
        for part in (headers.get("webhook-signature") or "").split(" ")
        if part[:3] == "v1,"
    ]
    fits = False
    for key in filter(None, map(_key, secrets)):
        expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
        for signature in given:
            fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise Refused
    return VerifiedDelivery(_topic(raw), normalize_delivery_id(message_id))


def _key(secret: str) -> bytes:
    """The key inside `whsec_…`; a secret that is not base64 is its own text."""
    text = secret.removeprefix("whsec_")
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return text.encode()


def normalize_delivery_id(given: str) -> str:
    """A delivery's id fit for an index: as given, or its hash where it is long or odd."""
    return (
        given
        if _PLAIN_ID.fullmatch(given)
        else "sha256:" + hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
    )


def _topic(raw: bytes) -> str:
    try:
        body = orjson.loads(raw)
    except ValueError:
        # Half a surrogate pair, say: strict for the fast reader, good enough for the one that parses.
        try:
            body = load(raw).values
        except Unparseable:
            return UNREADABLE
    kind = body.get("type") if isinstance(body, dict) else None
    return kind if isinstance(kind, str) and _TOPIC.fullmatch(kind) else UNREADABLE


def parse(_topic: str, raw: bytes, *, received_at: datetime) -> list[PlatformEvent]:
    """What the delivery says, in our words: one event, or none for a type we do not use; `Unparseable` with the reason.

    A fact without a time of its own took place at the envelope's `timestamp`, else when it was received.
    """
    body = load(raw)
    kind = body.text("type")
    if kind is None:
        raise body.wrong("type", "is missing; it says what the delivery is about, such as order.paid")
    if kind not in _READERS:
        return []
    data = body.object_("data")
    if data is None:
        raise body.wrong("data", "is missing")
    return [_READERS[kind](data, body.moment("timestamp") or received_at)]


def read_order(data: Fields, otherwise: datetime) -> OrderPaid:
    """An order as `order.paid` and the redeeming API carry it; placed at `otherwise` where it does not say when."""
    order_id = data.id("id")
    currency = data.currency("currency")
    total = data.amount("total", currency)
    subtotal = data.amount_or_none("subtotal", currency)
    address = data.object_or_empty("shipping_address")
    country = address.country("country")
    parts = (address.text(name) for name in ("line1", "line2", "postal_code", "city", "country"))
    return OrderPaid(
        order_id=order_id,
        number=data.text("number", limit=64) or order_id,
        placed_at=data.moment("placed_at") or otherwise,
        currency=currency,
        subtotal=total if subtotal is None else subtotal,
        total=total,
        discount_total=data.amount_or_none("discount_total", currency) or 0,
        person=read_person(data.object_or_empty("customer"), country),
        discount_codes=data.texts("discount_codes"),
        referral=data.text("referral", limit=64),
        source=data.text("source", limit=64),
        tags=data.texts("tags"),
        test=data.values.get("test") is True,
        items=tuple(_item(line, currency) for line in data.objects("items")),
        shipping_address=tuple(part for part in parts if part),
        shipping_country=country,
        payment_fingerprint=data.text("payment_fingerprint"),
    )


def _item(line: Fields, currency: str) -> Item:
    quantity = line.values.get("quantity")
    if quantity is None:
        quantity = 1
    if isinstance(quantity, bool) or not isinstance(quantity, int) or not 0 <= quantity <= 10**9:
        raise line.wrong("quantity", "must be a whole number, not negative")
    return Item(
        title=line.text("title") or line.text("sku") or "",
        quantity=quantity,
        sku=line.text("sku", limit=100),
        unit_price=line.amount_or_none("unit_price", currency),
    )


def read_person(customer: Fields, shipping_country: str | None = None) -> Person:
    """A customer object; where it names no country, the one the order is shipped to."""
    return Person(
        external_id=customer.id_or_none("id"),
        email=customer.text("email", limit=320),
        phone=customer.text("phone", limit=64),
        first_name=customer.text("first_name", limit=100),
        last_name=customer.text("last_name", limit=100),
        locale=customer.text("locale", limit=35),
        time_zone=customer.text("time_zone", limit=64),
        country=customer.country("country") or shipping_country,
        email_consent=_consent(customer, "email_consent"),
        sms_consent=_consent(customer, "sms_consent"),
    )


def _consent(customer: Fields, name: str) -> ConsentStatement:
    """True, false, null, or an object with a `state`. A word we do not know says nothing, so what is known stays."""
    value = customer.values.get(name)
    if value is None:
        return ConsentStatement()
    if isinstance(value, bool):
        return ConsentStatement(given=value)
    said = customer.object_(name)
    if said is None:
        return ConsentStatement()
    state = said.values.get("state")
    word = (str(state) if isinstance(state, bool) else said.text("state") or "").lower()
    given = True if word in _YES else False if word in _NO else None
    return ConsentStatement(
        given, said.text("opt_in_level", limit=64), said.text("source", limit=64), said.moment("at")
    )


def _fulfilled(data: Fields, otherwise: datetime) -> OrderFulfilled:
    return OrderFulfilled(data.id("order_id"), data.moment("at") or otherwise)


def _delivered(data: Fields, otherwise: datetime) -> OrderDelivered:
    return OrderDelivered(data.id("order_id"), data.moment("at") or otherwise)


def _cancelled(data: Fields, otherwise: datetime) -> OrderCancelled:
    return OrderCancelled(data.id("order_id"), data.moment("at") or otherwise)


def _refunded(data: Fields, otherwise: datetime) -> OrderRefunded:
    return OrderRefunded(
        data.id("order_id"), data.id("refund_id"), data.decimal("amount"), data.moment("at") or otherwise
    )


def _updated(data: Fields, otherwise: datetime) -> CustomerUpdated:
    return CustomerUpdated(read_person(data), otherwise)


def _erased(data: Fields, _otherwise: datetime) -> CustomerErased:
    erased = CustomerErased(
        data.id_or_none("id"), data.text("email", limit=320), data.text("phone", limit=64)
    )
    if not (erased.external_id or erased.email or erased.phone):
        raise data.wrong("id", "or email must say who is to be forgotten")
    return erased


_READERS: Mapping[str, Callable[[Fields, datetime], PlatformEvent]] = {
    "order.paid": read_order,
    "order.fulfilled": _fulfilled,
    "order.delivered": _delivered,
    "order.refunded": _refunded,
    "order.cancelled": _cancelled,
    "customer.updated": _updated,
    "customer.erased": _erased,
}
