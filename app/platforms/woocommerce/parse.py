"""Parse the events in WooCommerce's bodies, by topic.

The signature covers the body alone, so facts are read from the body and the topic only gives its
kind. An order comes again whenever it changes; each time all that it shows becomes events, and
events that are known already change nothing.
"""

from datetime import UTC

from app.base.text import one_line
from app.platforms.delivery_types import NO_TOPIC, NeedsFetch, ParseResult, RawDelivery
from app.platforms.events import CustomerErased, CustomerUpdated, Unparseable
from app.platforms.fields import Fields, load
from app.platforms.woocommerce.fetch import address_of, asks_home, resource_at_home
from app.platforms.woocommerce.order import read_order
from app.platforms.woocommerce.people import read_customer
from app.platforms.woocommerce.refunds import refunds_resource, with_refunds
from app.platforms.woocommerce.settings import WooCommerceSettings

_ORDERS = frozenset({"order.created", "order.updated", "order.restored"})
"""Not `order.deleted`: an order in the trash was neither cancelled nor refunded, and may come
back."""
_CUSTOMERS = frozenset({"customer.created", "customer.updated"})
_DEFAULTS = WooCommerceSettings()
_NOTHING = Fields({})


def parse(delivery: RawDelivery) -> ParseResult:
    """The events of the delivery, none for a topic that is not used. Raises `Unparseable`.

    For an order of which a part was refunded its refunds must be fetched first, and for what
    another WordPress than the shop's delivers, what the shop has.
    """
    topic = delivery.topic
    if topic == NO_TOPIC:
        raise Unparseable("The delivery's headers name no topic.")
    if topic in _ORDERS:
        return _read(delivery, "order")
    if topic in _CUSTOMERS:
        return _read(delivery, "customer")
    return _erase(delivery) if topic == "customer.deleted" else []


def _read(delivery: RawDelivery, kind: str) -> ParseResult:
    body, fetched = _load(delivery.body, kind), load(delivery.fetched) if delivery.fetched else _NOTHING
    if body is not None and delivery.fetched is None:
        resource = resource_at_home(body, f"{kind}s", delivery.account)
        if resource is not None:
            return NeedsFetch(resource)
    if body is not None and kind in fetched.values:
        body = _at_home(body, fetched.object_(kind), kind)
    if body is None:
        return []
    settings = delivery.settings if isinstance(delivery.settings, WooCommerceSettings) else _DEFAULTS
    if kind == "customer":
        return [_updated(delivery, body, settings)]
    events = read_order(delivery, body, settings)
    resource = refunds_resource(events) if delivery.fetched is None else None
    return with_refunds(events, fetched) if resource is None else NeedsFetch(resource)


def _at_home(body: Fields, found: Fields | None, kind: str) -> Fields | None:
    """What the shop itself has of what another WordPress delivered.

    An order that it does not have is not passed over: the shop may have moved, and what it is
    connected to be the copy. Two that count on by themselves give one number to two orders.
    """
    if kind == "order" and (found is None or found.text("order_key") != body.text("order_key")):
        raise Unparseable(
            f"It was sent by {one_line(address_of(body) or '', limit=100)}, and the WordPress that the shop is connected to has"
            " no such order. If that is a copy of the shop, delete the webhooks there. If the shop has moved,"
            " connect it with the new address (tenfold shop connect) and replay the delivery."
        )
    return found


def _load(raw: bytes, resource: str) -> Fields | None:
    """The resource, which is the whole body; webhooks of the old API put it into an object.

    None where it was deleted before WooCommerce came to deliver it: then the body is an error.
    """
    body = load(raw)
    if "id" in body.values:
        return body
    if isinstance(body.values.get(resource), dict):
        raise Unparseable(
            "The webhook sends the format of the legacy API; set its API version to WP REST API Integration v3."
        )
    match body.values:
        case {"code": str(), "data": {"status": 404}}:
            return None
        case {"code": str(), "data": {"status": 401 | 403}}:
            raise Unparseable(
                f"WooCommerce sends an error instead of the {resource}: the WordPress user that the webhook belongs"
                " to was deleted, or may not see it. Delete the shop's webhooks of Tenfold in WordPress and run"
                " tenfold shop check, which makes them anew for the user of the key."
            )
    return body


def _updated(delivery: RawDelivery, customer: Fields, settings: WooCommerceSettings) -> CustomerUpdated:
    # An order has an id and an address for bills too: sent again as this topic, it is no customer.
    if not customer.values.keys() & {"email", "username"}:
        raise customer.wrong("email", "is missing")
    at = customer.informational.moment("date_modified_gmt", zone=UTC)
    return CustomerUpdated(read_customer(customer, settings), at or delivery.received_at)


def _erase(delivery: RawDelivery) -> ParseResult:
    """The erasure of who had an account that was deleted, once the shop does not have it any more.

    Nothing but the id is left of such an account, so which WordPress it was deleted from only the
    shop can say: people delete the customers of a copy before they try things there.
    """
    body = load(delivery.body)
    if body.values.keys() != {"id"}:
        # A whole customer is not deleted.
        raise body.wrong("id", "must be all there is")
    resource = f"customers/{body.id('id')}"
    if delivery.fetched is None and asks_home(delivery.account, resource):
        return NeedsFetch(resource)
    if delivery.fetched and load(delivery.fetched).object_("customer") is not None:
        raise Unparseable(
            "The WordPress that the shop is connected to still has this customer. If a copy of the shop deleted"
            " its own, delete the webhooks there. If the shop has moved, connect it with the new address (tenfold"
            " shop connect) and replay the delivery."
        )
    return [CustomerErased(body.id("id"), None)]
