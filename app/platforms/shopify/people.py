"""Customers in Shopify's bodies."""

from collections.abc import Sequence

from app.customers.person import ConsentStatement, Person
from app.platforms.fields import Fields
from app.platforms.recipient import is_buyers

_GIVEN = {"subscribed": True, "unsubscribed": False}
"""`not_subscribed`, `pending` and `redacted` are no statement: nobody objected, nobody agreed."""
_UNFINISHED = frozenset({"pending", "redacted"})
_CONFIRMED = "confirmed_opt_in"
"""The opt-in level at which a tick is only a request for the mail that asks once more."""


def read_buyer(body: Fields) -> Person:
    """The customer of an order: the buyer, not who gets the parcel. Raises `Unparseable`.

    Customer and billing address come before the shipping address, which counts only where it names
    nobody else. The customer's own phone number comes first: the consent to texts is about it.
    """
    customer = body.object_or_empty("customer")
    shipping = body.object_or_empty("shipping_address")
    billing = body.object_or_empty("billing_address")
    known = read_customer(customer) if customer.values else Person()
    country = billing.country("country_code") or known.country
    own = (billing, shipping) if is_buyers(shipping, customer, billing) else (billing,)
    emails = (body.text("email", limit=320), body.text("contact_email", limit=320), known.email)
    phone, phone_country = _phone(known, body, country, own)
    return Person(
        external_id=known.external_id,
        email=next(filter(None, emails), None),
        phone=phone,
        phone_country=phone_country,
        first_name=known.first_name or _first("first_name", own),
        last_name=known.last_name or _first("last_name", own),
        locale=body.text("customer_locale", limit=35) or known.locale,
        country=country,
        shipping_country=shipping.country("country_code"),
        email_consent=_email_consent(body, customer, known),
        sms_consent=known.sms_consent,
    )


def _phone(
    known: Person, body: Fields, country: str | None, own: Sequence[Fields]
) -> tuple[str | None, str | None]:
    """The first phone number, and the country that a national one belongs to."""
    if known.phone:
        return known.phone, known.country or country
    if phone := body.text("phone", limit=64):
        return phone, country
    for place in own:
        if phone := place.text("phone", limit=64):
            return phone, place.country("country_code") or country
    return None, None


def _first(field: str, addresses: Sequence[Fields]) -> str | None:
    return next(filter(None, (address.text(field, limit=100) for address in addresses)), None)


def _email_consent(body: Fields, customer: Fields, known: Person) -> ConsentStatement:
    """What the customer stated; else a tick at the checkout, unless a confirmation is awaited."""
    if known.email_consent.given is None and body.values.get("buyer_accepts_marketing") is True:
        statement = customer.object_or_empty("email_marketing_consent")
        unfinished = (
            statement.text("state") in _UNFINISHED or statement.text("opt_in_level", limit=64) == _CONFIRMED
        )
        return known.email_consent if unfinished else ConsentStatement(given=True, source="checkout")
    return known.email_consent


def read_consent_update(body: Fields) -> Person:
    """The body of `customers_email_marketing_consent/update`, or of its twin for texts.

    Raises `Unparseable`.
    """
    return Person(
        external_id=body.id_or_none("customer_id") or body.id_or_none("id"),
        email=body.text("email_address", limit=320) or body.text("email", limit=320),
        phone=body.text("phone", limit=64),
        email_consent=_consent(body.object_("email_marketing_consent")),
        sms_consent=_consent(body.object_("sms_marketing_consent")),
    )


def read_customer(customer: Fields) -> Person:
    """A customer object. Raises `Unparseable`."""
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


def _consent(statement: Fields | None) -> ConsentStatement:
    if statement is None:
        return ConsentStatement()
    return ConsentStatement(
        given=_GIVEN.get(statement.text("state") or ""),
        opt_in_level=statement.text("opt_in_level", limit=64),
        source=statement.text("consent_collected_from", limit=64) or "shopify",
        at=statement.moment("consent_updated_at"),
    )
