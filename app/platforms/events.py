"""What a shop tells us, in our words. Each platform's file turns its bytes into these and knows nothing else of us."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.customers.contact import Person


class Unparseable(Exception):
    """A delivery that is genuine but cannot be understood; the message is the reason people read and may hold no address."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order; `unit_price` in minor units."""

    title: str
    quantity: int
    sku: str | None = None
    unit_price: int | None = None


@dataclass(frozen=True, slots=True)
class OrderPaid:
    """An order was paid. Amounts are minor units of `currency`, never negative."""

    order_id: str
    number: str
    placed_at: datetime
    currency: str
    subtotal: int
    total: int
    discount_total: int
    person: Person
    paid_at: datetime | None = None
    """None: take `placed_at`."""
    discount_codes: tuple[str, ...] = ()
    referral: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    test: bool = False
    items: tuple[Item, ...] = ()
    shipping_address: tuple[str, ...] = field(default=())
    """Its parts as given, most special first, for a keyed hash only."""
    shipping_country: str | None = None
    payment_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class OrderFulfilled:
    """The parcel left the shop."""

    order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderDelivered:
    """The parcel arrived."""

    order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order is off."""

    order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """Money went back; `amount` in major units of the order's currency, which this event may not know. Not negative."""

    order_id: str
    refund_id: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class CustomerUpdated:
    """A customer's data or consent changed."""

    person: Person
    at: datetime


@dataclass(frozen=True, slots=True)
class CustomerErased:
    """A customer must be forgotten; found by the shop's id or the address."""

    external_id: str | None
    email: str | None
    phone: str | None = None


PlatformEvent = (
    OrderPaid
    | OrderFulfilled
    | OrderDelivered
    | OrderCancelled
    | OrderRefunded
    | CustomerUpdated
    | CustomerErased
)


@dataclass(frozen=True, slots=True)
class VerifiedDelivery:
    """A delivery whose signature was right: what it is about and the id that repeats with it."""

    topic: str
    external_id: str


class Refused(Exception):
    """The delivery's signature is missing or wrong, or its time too far off."""
