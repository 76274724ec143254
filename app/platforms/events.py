"""The events that all platforms' deliveries are parsed into."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.base.frozen import quick
from app.customers.person import Person


class Unparseable(Exception):
    """A genuine delivery that cannot be parsed.

    The message is shown to people and holds no address.
    """


@quick
@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order; `unit_price` in minor units, below zero for a discount line."""

    title: str
    quantity: float | None
    """How many, or how much of it; None where that cannot be read."""
    sku: str | None = None
    unit_price: int | None = None


@quick
@dataclass(frozen=True, slots=True)
class CodeDiscount:
    """What a code took off an order, in minor units of its currency, as the shop states it."""

    code: str
    amount: int
    """What the buyer paid less, taxes included."""
    spent: int | None = None
    """What is gone of a code that is worth an amount, where that is another one: the shop's prices,
    off which it is taken, are without taxes."""


def address_parts(parts: Sequence[str | None]) -> tuple[str, ...]:
    """An address's parts in their places, empty where one is absent; `()` for none at all."""
    return tuple(part or "" for part in parts) if any(parts) else ()


@quick
@dataclass(frozen=True, slots=True)
class OrderPaid:
    """An order was paid, or a paid order was changed: the order as it was at `version_at`.

    Amounts are minor units of `currency`, never negative. What is None or empty was not stated.
    """

    order_id: str
    number: str
    placed_at: datetime
    currency: str
    subtotal: int | None
    """Goods before discounts; None: the total."""
    total: int
    """What was paid, with shipping and taxes, before refunds."""
    discount_total: int | None
    person: Person
    version_at: datetime | None = None
    """The newest version of an order counts; None: at `placed_at`."""
    placed_at_stated: bool = True
    """False where `placed_at` is only the time of the report."""
    shipping_total: int | None = None
    refunded_wholly: bool = False
    """Whether the shop states that everything was refunded, whatever the refunds add up to."""
    paid_at: datetime | None = None
    """None: at `placed_at`."""
    discount_codes: tuple[str, ...] = ()
    discounts: tuple[CodeDiscount, ...] = ()
    """Of some of `discount_codes`."""
    referral: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    test: bool = False
    trial: bool = False
    """An order to try the whole path with: surveyed at once, left out of figures."""
    history: bool = False
    """Whether the shop took it over from another system, long after it was placed: as an order from
    before the start it redeems nothing and causes no message."""
    items: tuple[Item, ...] = ()
    shipping_address: tuple[str, ...] = field(default=())
    """First and second line, postal code, city, country, as `address_parts`; for a keyed hash
    only."""
    shipping_country: str | None = None
    payment_fingerprint: str | None = None
    confirmation: str | None = None
    """What the shop gave the buyer as a proof of the order, such as a random number that stands on
    its confirmation."""
    ordered_before: bool = False
    """Whether the shop knows earlier orders of the buyer that it does not show us."""
    refund_ids: tuple[str, ...] | None = None
    """Every refund that the order has at `version_at`: any other one was deleted. None where the
    shop does not say."""
    stood_at: datetime | None = None
    """When the shop says the order was not cancelled; None where it does not say, or where what is
    cancelled stays so."""


@quick
@dataclass(frozen=True, slots=True)
class OrderFulfilled:
    """All of the order was sent; with `partial` some of it, which is known and triggers nothing."""

    order_id: str
    at: datetime
    partial: bool = False
    parcels: tuple[str, ...] = ()
    """Ids of the parcels that it went in, where the platform has such: once one of them is
    cancelled, the order is not fulfilled by this event any more."""


@quick
@dataclass(frozen=True, slots=True)
class OrderDelivered:
    """All of the order arrived; with `partial` some of it, which is known and triggers nothing."""

    order_id: str
    at: datetime
    partial: bool = False


@quick
@dataclass(frozen=True, slots=True)
class ParcelSent:
    """One parcel of an order was sent, with this many pieces (None: unknown)."""

    order_id: str
    parcel_id: str
    at: datetime
    quantity: float | None = None


@quick
@dataclass(frozen=True, slots=True)
class ParcelDelivered:
    """One parcel of an order arrived."""

    order_id: str
    parcel_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ParcelCancelled:
    """One parcel of an order was not sent after all."""

    order_id: str
    parcel_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """The order was cancelled."""

    order_id: str
    at: datetime
    revocable: bool = False
    """Whether it stands again once an `OrderPaid.stood_at` is later than `at`."""
    tentative: bool = False
    """Whether it says nothing of an order that nobody knows yet: a payment that failed is tried
    again."""


@quick
@dataclass(frozen=True, slots=True)
class OrderRefunded:
    """Money was refunded: `amount`, of which `shipping` for shipping.

    Both are in major units of the order's currency and not negative.
    """

    order_id: str
    refund_id: str
    """Empty for all refunds of the order together, as a file states them: the order's refunds count
    no less than that, and no more by both."""
    amount: Decimal
    at: datetime
    shipping: Decimal = Decimal(0)


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
    revocable: bool = False
    """Whether the shop only doubts the payment, until an `OrderPaid.stood_at` is later than `at`;
    then `dispute_id` is empty."""


@quick
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

    account: str | None = None
    """The shop's name at the platform; None where it is not stated."""


FactEvent = (
    OrderFulfilled
    | OrderDelivered
    | ParcelSent
    | ParcelDelivered
    | ParcelCancelled
    | OrderCancelled
    | OrderRefunded
    | OrderDisputed
)
"""What can be reported about an order besides that it was paid."""
PlatformEvent = OrderPaid | FactEvent | CustomerUpdated | CustomerErased | DataRequested | ShopErased
