"""The events that all platforms' deliveries are parsed into."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.customers.person import Person


class Unparseable(Exception):
    """A genuine delivery that cannot be parsed.

    The message is shown to people and holds no address.
    """


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
    """None: at `placed_at`."""
    discount_codes: tuple[str, ...] = ()
    referral: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    test: bool = False
    items: tuple[Item, ...] = ()
    shipping_address: tuple[str, ...] = field(default=())
    """Its parts as given, the most specific first; for a keyed hash only."""
    shipping_country: str | None = None
    payment_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class OrderFulfilled:
    """The parcel was sent."""

    order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderDelivered:
    """The parcel arrived."""

    order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order was cancelled."""

    order_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """Money was refunded. `amount` is in major units of the order's currency and not negative."""

    order_id: str
    refund_id: str
    amount: Decimal
    at: datetime


class DisputeStatus(StrEnum):
    """Where a chargeback stands."""

    open = "open"
    won = "won"
    """For the shop: it keeps the money."""
    lost = "lost"


@dataclass(frozen=True, slots=True)
class OrderDisputed:
    """The buyer's bank disputes the payment (a chargeback), or has decided.

    The statement with the latest `at` counts. `amount` is in major units, None where it is not
    known.
    """

    order_id: str
    dispute_id: str
    status: DisputeStatus
    at: datetime
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CustomerUpdated:
    """A customer's data or consent changed."""

    person: Person
    at: datetime


@dataclass(frozen=True, slots=True)
class CustomerErased:
    """A customer must be erased: whoever has the shop's id, the e-mail address or the number."""

    external_id: str | None
    email: str | None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class DataRequested:
    """A customer asks for their data: who has the shop's id, the e-mail address or the number."""

    request_id: str
    """The platform's id of the request."""
    at: datetime
    external_id: str | None
    email: str | None
    phone: str | None = None


@dataclass(frozen=True, slots=True)
class ShopErased:
    """The shop has left the platform: its people must be erased."""


FactEvent = OrderFulfilled | OrderDelivered | OrderCancelled | OrderRefunded | OrderDisputed
"""What can be reported about an order besides that it was paid."""
PlatformEvent = OrderPaid | FactEvent | CustomerUpdated | CustomerErased | DataRequested | ShopErased
