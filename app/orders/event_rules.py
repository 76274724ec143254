"""The fact that an event about an order reports. Pure."""

from decimal import Decimal
from typing import assert_never

from app.orders.facts_rules import REVOCABLE, FactKind, ReportedFact
from app.orders.parcel_rules import parcels_key
from app.orders.rules import external_order_id
from app.platforms.events import (
    FactEvent,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderFulfilled,
    OrderRefunded,
    ParcelCancelled,
    ParcelDelivered,
    ParcelSent,
)


def fact_of(event: FactEvent) -> ReportedFact:
    """What the event reports of its order, with ids as they are stored."""
    match event:
        case ParcelSent() | ParcelDelivered() | ParcelCancelled():
            fact = _of_parcel(event)
        case OrderFulfilled():
            kind = FactKind.partly_fulfilled if event.partial else FactKind.fulfilled
            fact = ReportedFact(kind, event.at, parcels_key(map(external_order_id, event.parcels)))
        case OrderDelivered():
            fact = ReportedFact(FactKind.partly_delivered if event.partial else FactKind.delivered, event.at)
        case OrderCancelled():
            fact = ReportedFact(FactKind.cancelled, event.at, REVOCABLE if event.revocable else "")
        case OrderRefunded():
            key, shipping = external_order_id(event.refund_id), event.shipping or None
            fact = ReportedFact(FactKind.refunded, event.at, key, event.amount, shipping=shipping)
        case OrderDisputed():
            key = REVOCABLE if event.revocable else external_order_id(event.dispute_id)
            fact = ReportedFact(FactKind.disputed, event.at, key, event.amount, event.status)
        case _:
            assert_never(event)
    return fact


def _of_parcel(event: ParcelSent | ParcelDelivered | ParcelCancelled) -> ReportedFact:
    key = external_order_id(event.parcel_id)
    match event:
        case ParcelSent():
            pieces = None if event.quantity is None else Decimal(str(event.quantity))
            return ReportedFact(FactKind.partly_fulfilled, event.at, key, quantity=pieces)
        case ParcelDelivered():
            return ReportedFact(FactKind.partly_delivered, event.at, key)
        case ParcelCancelled():
            return ReportedFact(FactKind.parcel_cancelled, event.at, key)
        case _:
            assert_never(event)
