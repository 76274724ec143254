"""The bodies of a shop's own checkout, parsed once: exact numbers, and no unknown fields."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from app.base.text import one_line
from app.customers.person import Person
from app.platforms.checkout.parse import read_order, read_person
from app.platforms.events import OrderPaid
from app.platforms.fields import Fields, load

CUSTOMER = frozenset(
    [
        "id",
        "email",
        "phone",
        "first_name",
        "last_name",
        "locale",
        "time_zone",
        "country",
        "email_consent",
        "sms_consent",
    ]
)
BASKET = frozenset({"id", "subtotal", "currency"})
ORDER = frozenset(
    [
        "id",
        "number",
        "placed_at",
        "updated_at",
        "currency",
        "subtotal",
        "total",
        "discount_total",
        "shipping_total",
        "discount_codes",
        "discounts",
        "referral",
        "source",
        "tags",
        "test",
        "trial",
        "customer",
        "items",
        "shipping_address",
        "payment_fingerprint",
    ]
)
ITEM = frozenset({"sku", "title", "quantity", "unit_price"})
DISCOUNT = frozenset({"code", "amount"})
ADDRESS = frozenset({"line1", "line2", "city", "postal_code", "country"})
_CODE_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Basket:
    """A code, the person who would use it, and what they would order.

    `currency` None: the shop's. `order_id` None: the order has no id yet.
    """

    code: str
    shop: str | None
    person: Person
    order: Fields
    currency: str | None
    order_id: str | None

    def subtotal(self, currency: str) -> int:
        """In minor units of `currency`; raises `Unparseable`."""
        return self.order.amount("subtotal", currency)


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order that was paid with a code."""

    code: str
    shop: str | None
    order: Fields

    def paid(self, *, now: datetime) -> OrderPaid:
        """The order as an event, placed at `now` where it has no time of its own.

        Raises `Unparseable`.
        """
        return read_order(self.order, now)


@dataclass(frozen=True, slots=True)
class Rollback:
    """What is rolled back; without an amount everything. The amount is a decimal as it was sent."""

    amount: str | None
    reason: str


def parse_basket(raw: bytes) -> Basket:
    """The body of `validate`; raises `Unparseable`."""
    body = load(raw)
    refuse_unknown(body, frozenset({"code", "customer", "order", "shop"}))
    order, customer = body.object_("order"), body.object_or_empty("customer")
    if order is None:
        raise body.wrong("order", "is missing")
    refuse_unknown(order, BASKET)
    refuse_unknown(customer, CUSTOMER)
    return Basket(
        code=_code(body),
        shop=body.text("shop"),
        person=read_person(customer),
        order=order,
        currency=None if order.values.get("currency") is None else order.currency("currency"),
        order_id=order.id_or_none("id"),
    )


def parse_purchase(raw: bytes) -> Purchase:
    """The body of `redeem`; raises `Unparseable`."""
    body = load(raw)
    refuse_unknown(body, frozenset({"code", "order", "shop"}))
    order = body.object_("order")
    if order is None:
        raise body.wrong("order", "is missing")
    refuse_unknown(order, ORDER)
    refuse_unknown(order.informational.object_or_empty("customer"), CUSTOMER)
    known = order.informational
    refuse_unknown(known.object_or_empty("shipping_address"), ADDRESS)
    for item in known.objects("items"):
        refuse_unknown(item, ITEM)
    for discount in known.objects("discounts"):
        refuse_unknown(discount, DISCOUNT)
    return Purchase(code=_code(body), shop=body.text("shop"), order=order)


@dataclass(frozen=True, slots=True)
class WantedCredit:
    """A claim on somebody's credit; the customer is named by public id or by e-mail address."""

    customer: str | None
    email: str | None
    amount: str
    currency: str
    order_id: str
    seconds: int


DEFAULT_SECONDS, MOST_SECONDS = 900, 86_400
"""How long credit is reserved where nothing else is given, and at most: a day."""


def parse_reservation(raw: bytes) -> WantedCredit:
    """The body of a reservation of credit; raises `Unparseable`."""
    body = load(raw)
    refuse_unknown(body, frozenset({"customer", "amount", "currency", "order_id", "seconds"}))
    given, customer, email = body.values.get("customer"), None, None
    if isinstance(given, str):
        customer = body.text("customer")
    elif given is not None:
        person = body.object_("customer")
        if person is not None:
            refuse_unknown(person, frozenset({"email"}))
            email = person.text("email", limit=320)
    if customer is None and email is None:
        raise body.wrong("customer", "must be an id such as cus_… or an object with an email")
    amount = body.text("amount", limit=40)
    if amount is None:
        raise body.wrong("amount", "is missing")
    seconds = body.values.get("seconds", DEFAULT_SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= MOST_SECONDS:
        raise body.wrong("seconds", f"must be a whole number from 1 to {MOST_SECONDS}")
    return WantedCredit(customer, email, amount, body.currency("currency"), body.id("order_id"), seconds)


def parse_credit_amount(raw: bytes) -> str | None:
    """The body of a capture or refund of credit: its amount, None for all; raises `Unparseable`."""
    if not raw.strip():
        return None
    body = load(raw)
    refuse_unknown(body, frozenset({"amount"}))
    return body.text("amount", limit=40)


def parse_rollback(raw: bytes) -> Rollback:
    """The body of `rollback`; raises `Unparseable`."""
    body = load(raw)
    refuse_unknown(body, frozenset({"amount", "reason"}))
    return Rollback(amount=body.text("amount", limit=40), reason=body.text("reason") or "rolled_back")


def _code(body: Fields) -> str:
    code = body.text("code", limit=_CODE_LIMIT)
    if code is None:
        raise body.wrong("code", "is missing")
    if any(unicodedata.category(letter) == "Cc" for letter in str(body.values["code"])):
        raise body.wrong("code", "may hold no control characters")
    return code


def refuse_unknown(given: Fields, known: frozenset[str]) -> None:
    """Raises `Unparseable` for a field that is none of `known`."""
    unknown = sorted(set(given.values) - known)
    if unknown:
        raise given.wrong(one_line(unknown[0], limit=24, ellipsis=True), "is no field that is known here")
