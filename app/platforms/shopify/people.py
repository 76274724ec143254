"""Customers in Shopify's bodies."""

from app.customers.person import ConsentStatement, Person
from app.platforms.fields import Fields

_GIVEN = {"subscribed": True, "unsubscribed": False}
"""`not_subscribed`, `pending` and `redacted` are no statement: nobody objected, nobody agreed."""


def read_buyer(body: Fields) -> Person:
    """The customer of an order. Raises `Unparseable`.

    The customer's own phone number comes before the parcel's: the consent to texts is about it.
    """
    customer = body.object_or_empty("customer")
    shipping = body.object_or_empty("shipping_address")
    billing = body.object_or_empty("billing_address")
    known = read_customer(customer)
    email_consent = known.email_consent
    if email_consent.given is None and body.values.get("buyer_accepts_marketing") is True:
        email_consent = ConsentStatement(given=True, source="checkout")
    phones = (known.phone, *(place.text("phone", limit=64) for place in (body, shipping, billing)))
    emails = (body.text("email", limit=320), body.text("contact_email", limit=320), known.email)
    return Person(
        external_id=known.external_id,
        email=next(filter(None, emails), None),
        phone=next(filter(None, phones), None),
        first_name=known.first_name or _name("first_name", shipping, billing),
        last_name=known.last_name or _name("last_name", shipping, billing),
        locale=body.text("customer_locale", limit=35) or known.locale,
        country=shipping.country("country_code") or billing.country("country_code") or known.country,
        email_consent=email_consent,
        sms_consent=known.sms_consent,
    )


def _name(field: str, *addresses: Fields) -> str | None:
    return next(filter(None, (address.text(field, limit=100) for address in addresses)), None)


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
