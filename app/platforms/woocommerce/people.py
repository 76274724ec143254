"""Customers in WooCommerce's bodies."""

from collections.abc import Sequence

from app.customers.person import Person
from app.platforms.fields import Fields
from app.platforms.recipient import is_buyers
from app.platforms.woocommerce.meta import Meta
from app.platforms.woocommerce.settings import WooCommerceSettings


def is_anonymized(meta: Meta) -> bool:
    """Whether WordPress removed the personal data of an order, on request or by its age."""
    return meta.values.get("_anonymized") == "yes"


def read_buyer(order: Fields, meta: Meta, settings: WooCommerceSettings) -> Person:
    """The buyer of an order, not who gets the parcel. Raises `Unparseable`.

    The billing address comes before the shipping address, which counts only where it names nobody
    else. A guest has no id. Of an anonymized order nobody is read: all of these have one address,
    and whose the order was is known already.
    """
    if is_anonymized(meta):
        return Person()
    billing, shipping = order.object_or_empty("billing"), order.object_or_empty("shipping")
    own = (billing, shipping) if is_buyers(shipping, billing) else (billing,)
    customer_id = order.id_or_none("customer_id")
    return _person(None if customer_id == "0" else customer_id, own, shipping, meta, settings)


def read_customer(customer: Fields, settings: WooCommerceSettings) -> Person:
    """A customer object. Raises `Unparseable`.

    The address of the account counts only where there is none for bills, which is the one that
    orders carry: an id must not change between two people with each of them.
    """
    billing, shipping = customer.object_or_empty("billing"), customer.object_or_empty("shipping")
    own = (billing, customer)
    return _person(customer.id("id"), own, shipping, Meta.of(customer), settings)


def _person(
    external_id: str | None,
    own: Sequence[Fields],
    shipping: Fields,
    meta: Meta,
    settings: WooCommerceSettings,
) -> Person:
    """A person as the first of these objects that has a field describes them."""
    country = own[0].country("country")
    phone, phone_country = _phone(own, country)
    return Person(
        external_id=external_id,
        email=_first("email", own, limit=320),
        phone=phone,
        phone_country=phone_country,
        first_name=_first("first_name", own),
        last_name=_first("last_name", own),
        locale=meta.text(settings.locale_meta_key, limit=35),
        country=country,
        shipping_country=shipping.country("country"),
        email_consent=meta.consent(settings.consent_meta_key),
        sms_consent=meta.consent(settings.sms_consent_meta_key),
    )


def _phone(own: Sequence[Fields], home: str | None) -> tuple[str | None, str | None]:
    """The first phone number, and the country that a national one belongs to."""
    for place in own:
        if phone := place.text("phone", limit=64):
            return phone, home if place is own[0] else place.country("country") or home
    return None, None


def _first(name: str, own: Sequence[Fields], *, limit: int = 100) -> str | None:
    return next(filter(None, (each.text(name, limit=limit) for each in own)), None)
