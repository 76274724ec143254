"""Parse the events in Shopify's bodies, by topic.

The signature covers the body alone, so facts are read from the body and the topic only gives its
kind: a body replayed under another topic or delivery id adds nothing. An order comes again whenever
it changes; each time all that it shows becomes events, and events that are known already change
nothing.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from app.platforms.delivery_types import NO_TOPIC, NeedsFetch, ParseResult, RawDelivery
from app.platforms.events import (
    CustomerErased,
    CustomerUpdated,
    DataRequested,
    PlatformEvent,
    ShopErased,
    Unparseable,
)
from app.platforms.fields import Fields, load
from app.platforms.shopify.disputes import read_dispute
from app.platforms.shopify.order import ORDER_TOPICS, read_order
from app.platforms.shopify.order_body import order_resource
from app.platforms.shopify.parcels import read_parcel, read_parcel_event
from app.platforms.shopify.people import read_consent_update, read_customer
from app.platforms.shopify.refunds import read_refund

EDITED = "orders/edited"


def parse(delivery: RawDelivery) -> ParseResult:
    """The events of the delivery, none for a topic that is not used. Raises `Unparseable`.

    An edit only names its order, which must be fetched first.
    """
    if delivery.topic == NO_TOPIC:
        raise Unparseable("The delivery's headers name no topic.")
    if delivery.topic == EDITED:
        return _edited(delivery)
    if delivery.topic in ORDER_TOPICS:
        return read_order(delivery, load(delivery.body))
    reader = _READERS.get(delivery.topic)
    return [] if reader is None else reader(load(delivery.body), delivery.received_at)


def _edited(delivery: RawDelivery) -> ParseResult:
    body = load(delivery.body)
    order_id = body.object_or_empty("order_edit").id("order_id")
    if delivery.fetched is None:
        return NeedsFetch(order_resource(order_id))
    # Where it cannot be fetched, the `orders/updated` that comes with every edit has to do.
    return read_order(delivery, load(delivery.fetched)) if delivery.fetched else []


def _fulfillment(parcel: Fields, received_at: datetime) -> list[PlatformEvent]:
    return [*read_parcel(parcel, parcel.id("order_id"), received_at)]


def _fulfillment_event(event: Fields, received_at: datetime) -> list[PlatformEvent]:
    return [*read_parcel_event(event, event.id("order_id"), received_at)]


def _refund(refund: Fields, received_at: datetime) -> list[PlatformEvent]:
    return [*read_refund(refund, refund.id("order_id"), received_at)]


def _dispute(dispute: Fields, received_at: datetime) -> list[PlatformEvent]:
    return [*read_dispute(dispute, received_at)]


def _customer_updated(customer: Fields, received_at: datetime) -> list[PlatformEvent]:
    return [
        CustomerUpdated(read_customer(customer), customer.informational.moment("updated_at") or received_at)
    ]


def _consent_updated(body: Fields, received_at: datetime) -> list[PlatformEvent]:
    person = read_consent_update(body)
    times = [each.at for each in (person.email_consent, person.sms_consent) if each.at]
    return [CustomerUpdated(person, max(times, default=received_at))]


def _customer_erased(body: Fields, _received_at: datetime) -> list[PlatformEvent]:
    # A request for data has the same customer object; only this list shows that it is an erasure.
    if not isinstance(body.values.get("orders_to_redact"), list):
        raise body.wrong("orders_to_redact", "is missing")
    customer = body.object_or_empty("customer")
    erased = CustomerErased(
        customer.id_or_none("id"), customer.text("email", limit=320), customer.text("phone", limit=64)
    )
    if not (erased.external_id or erased.email or erased.phone):
        raise body.wrong("customer", "must say who is to be erased")
    return [erased]


def _data_requested(body: Fields, received_at: datetime) -> list[PlatformEvent]:
    # An erasure has the same customer object; only this list shows that data are asked for.
    if not isinstance(body.values.get("orders_requested"), list):
        raise body.wrong("orders_requested", "is missing")
    customer = body.object_or_empty("customer")
    requested = DataRequested(
        body.object_or_empty("data_request").id("id"),
        received_at,
        customer.id_or_none("id"),
        customer.text("email", limit=320),
        customer.text("phone", limit=64),
    )
    if not (requested.external_id or requested.email or requested.phone):
        raise body.wrong("customer", "must say who asks")
    return [requested]


def _shop_erased(body: Fields, _received_at: datetime) -> list[PlatformEvent]:
    # Signed bodies of other topics name the shop too: one of them, sent again as this topic, must
    # not erase everybody.
    if body.values.keys() != {"shop_id", "shop_domain"}:
        raise body.wrong("shop_id", "and shop_domain must be all there is")
    body.id("shop_id")
    return [ShopErased(body.text("shop_domain", limit=255))]


_READERS: Mapping[str, Callable[[Fields, datetime], list[PlatformEvent]]] = {
    "fulfillments/create": _fulfillment,
    "fulfillments/update": _fulfillment,
    "fulfillment_events/create": _fulfillment_event,
    "refunds/create": _refund,
    "disputes/create": _dispute,
    "disputes/update": _dispute,
    "customers/update": _customer_updated,
    "customers_email_marketing_consent/update": _consent_updated,
    "customers_marketing_consent/update": _consent_updated,
    "customers/redact": _customer_erased,
    "customers/data_request": _data_requested,
    "shop/redact": _shop_erased,
}
