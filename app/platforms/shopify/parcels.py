"""Parcels in Shopify's bodies.

An order is fulfilled once it says so, once its parcels hold all its pieces, or once nothing is left
to ship: a line such as an insurance may wait for ever. It is delivered once all its parcels are.
What need not be shipped, as a gift card, has arrived once it was sent.
"""

from collections.abc import Sequence
from datetime import datetime

from app.platforms.events import OrderFulfilled, ParcelCancelled, ParcelDelivered, ParcelSent, PlatformEvent
from app.platforms.fields import LIST_LIMIT, Fields

_ARRIVED = frozenset({"delivered", "picked_up"})
"""By a carrier, or over the counter; `carrier_picked_up` is the beginning of its way."""


def read_parcels(body: Fields, order_id: str, received_at: datetime) -> list[PlatformEvent]:
    """What an order shows of its parcels."""
    parcels = body.objects("fulfillments")
    sent = [parcel for parcel in parcels if parcel.text("status") == "success"]
    is_whole = body.text("fulfillment_status") == "fulfilled" or _is_nothing_left(body, parcels)
    events: list[PlatformEvent] = []
    if is_whole:
        sent_at = max((at for parcel in sent if (at := parcel.moment("created_at"))), default=None)
        at = sent_at or body.moment("updated_at") or received_at
        ids = tuple(_parcel_id(parcel, order_id) for parcel in sent)
        events.append(OrderFulfilled(order_id, at, parcels=ids))
    for parcel in parcels:
        found = read_parcel(parcel, order_id, received_at)
        # What the whole order states of its parcels need not be stated by each of them again.
        events += [each for each in found if not (is_whole and isinstance(each, ParcelSent))]
    return events


def _is_nothing_left(body: Fields, parcels: Sequence[Fields]) -> bool:
    """Whether all that is shipped is in parcels that were sent, and the rest needs no shipping."""
    lines = body.objects("line_items")
    shipped = [line for line in lines if line.values.get("requires_shipping") is not False]
    return (
        0 < len(shipped) < len(lines) < LIST_LIMIT
        and all(line.values.get("fulfillable_quantity") == 0 for line in shipped)
        and {parcel.text("status") for parcel in parcels} - {"cancelled"} == {"success"}
    )


def read_parcel(parcel: Fields, order_id: str, received_at: datetime) -> Sequence[PlatformEvent]:
    """What one parcel shows: sent, then delivered; or cancelled; nothing while it is prepared."""
    parcel = parcel.informational
    parcel_id, status = _parcel_id(parcel, order_id), parcel.text("status")
    changed_at = parcel.moment("updated_at") or received_at
    if status == "cancelled":
        return [ParcelCancelled(order_id, parcel_id, changed_at)]
    if status != "success":
        return []
    sent = ParcelSent(order_id, parcel_id, parcel.moment("created_at") or received_at, _pieces(parcel))
    if parcel.text("shipment_status") in _ARRIVED:
        return [sent, ParcelDelivered(order_id, parcel_id, changed_at)]
    return [sent] if _is_shipped(parcel) else [sent, ParcelDelivered(order_id, parcel_id, sent.at)]


def read_parcel_event(event: Fields, order_id: str, received_at: datetime) -> Sequence[PlatformEvent]:
    """What a carrier's event about a parcel shows."""
    event = event.informational
    if event.text("status") not in _ARRIVED:
        return []
    at = event.moment("happened_at") or event.moment("created_at") or received_at
    return [ParcelDelivered(order_id, event.id_or_none("fulfillment_id") or order_id, at)]


def _parcel_id(parcel: Fields, order_id: str) -> str:
    """A parcel without an id is the only one of its order."""
    return parcel.id_or_none("id") or order_id


def _is_shipped(parcel: Fields) -> bool:
    """Whether anything in it is shipped, or may be."""
    lines = parcel.objects("line_items")
    return not lines or any(line.values.get("requires_shipping") is not False for line in lines)


def _pieces(parcel: Fields) -> float | None:
    counts = [line.quantity("quantity") for line in parcel.objects("line_items")]
    return sum(count or 0 for count in counts) if counts else None
