"""When an order was sent and when it arrived, by what was reported of it and its parcels. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from app.orders.facts_rules import FactKind, ReportedFact

_SEPARATOR = "+"


def parcels_key(parcels: Iterable[str]) -> str:
    """The key of the fact that an order was fulfilled with these parcels; empty without any."""
    return _SEPARATOR.join(sorted(set(parcels)))


def count_pieces(items: Iterable[Mapping[str, Any]]) -> Decimal | None:
    """How many pieces these stored lines are, without discounts; None where that is unknown."""
    counts = [item.get("quantity") for item in items if (item.get("unit_price") or 0) >= 0]
    if not counts or None in counts:
        return None
    return sum((Decimal(str(count)) for count in counts), Decimal(0))


def fulfilled_and_delivered(
    facts: Iterable[ReportedFact], pieces: Decimal | None
) -> tuple[datetime | None, datetime | None]:
    """When all of an order was sent, and when all of it arrived; None where it was not.

    It was sent once that was reported of the whole order, or once its parcels hold all its `pieces`
    (None: unknown). It arrived once that was reported of the whole order, or once it was sent and
    each of its parcels arrived. A cancelled parcel counts for neither, and voids the report of a
    whole order that included it. Partial reports without a parcel change nothing.
    """
    found = list(facts)
    cancelled = {fact.key for fact in found if fact.kind is FactKind.parcel_cancelled}
    sent = _parcels(found, FactKind.partly_fulfilled, cancelled)
    arrived = _parcels(found, FactKind.partly_delivered, cancelled)
    whole = [
        (fact.at, parcels)
        for fact in found
        if fact.kind is FactKind.fulfilled
        and cancelled.isdisjoint(parcels := set(filter(None, fact.key.split(_SEPARATOR))))
    ]
    completed = [at for at, _ in whole]
    if (by_pieces := _complete_at(sent.values(), pieces)) is not None:
        completed.append(by_pieces)
    fulfilled_at = min(completed, default=None)
    named = sent.keys() | arrived.keys() | {parcel for _, parcels in whole for parcel in parcels}
    delivered = [fact.at for fact in found if fact.kind is FactKind.delivered]
    if fulfilled_at is not None and named and named <= arrived.keys():
        delivered.append(max(fact.at for fact in arrived.values()))
    return fulfilled_at, min(delivered, default=None)


def _parcels(facts: Iterable[ReportedFact], kind: FactKind, cancelled: set[str]) -> dict[str, ReportedFact]:
    return {fact.key: fact for fact in facts if fact.kind is kind and fact.key and fact.key not in cancelled}


def _complete_at(sent: Iterable[ReportedFact], pieces: Decimal | None) -> datetime | None:
    """When the parcels held all pieces; None while they do not."""
    if not pieces:
        return None
    held = Decimal(0)
    for fact in sorted(sent, key=lambda each: (each.at, each.key)):
        held += fact.quantity or 0
        if held >= pieces:
            return fact.at
    return None
