"""Pure words of the inbox, and how a batch of what shops said is sorted."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.customers.contact import Person
from app.platforms.events import (
    CustomerUpdated,
    OrderCancelled,
    OrderDelivered,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    PlatformEvent,
)

NOTHING_USED = "It tells nothing that Tenfold uses."
"""The reason of every ignored delivery; its topic says the rest."""
Reported = OrderFulfilled | OrderDelivered | OrderCancelled | OrderRefunded


class DeliveryStatus(StrEnum):
    """What became of a delivery."""

    new = "new"
    processed = "processed"
    ignored = "ignored"
    failed = "failed"


@dataclass(frozen=True, slots=True, eq=False)
class ParsedEvent:
    """One event of a delivery. `sequence`, then `place`, is the order of arrival."""

    delivery_id: UUID
    sequence: int
    place: int
    shop_id: UUID
    event: PlatformEvent


def people_by_shop(said: Sequence[ParsedEvent]) -> dict[UUID, list[tuple[ParsedEvent, Person]]]:
    """Whom each shop speaks of, in the order of arrival; shops in the order of their ids, in which rows are locked."""
    spoken = [
        (each, each.event.person) for each in said if isinstance(each.event, (OrderPaid, CustomerUpdated))
    ]
    return {
        shop_id: [pair for pair in spoken if pair[0].shop_id == shop_id]
        for shop_id in _shops([each for each, _ in spoken])
    }


def orders_by_shop(said: Sequence[ParsedEvent]) -> dict[UUID, list[tuple[ParsedEvent, OrderPaid]]]:
    """Each shop's paid orders where they are told first; platforms tell one order several times over."""
    first: dict[tuple[UUID, str], tuple[ParsedEvent, OrderPaid]] = {}
    for each in said:
        if isinstance(each.event, OrderPaid):
            first.setdefault((each.shop_id, each.event.order_id), (each, each.event))
    found = list(first.values())
    return {
        shop_id: [pair for pair in found if pair[0].shop_id == shop_id]
        for shop_id in _shops([each for each, _ in found])
    }


def facts_by_shop(said: Sequence[ParsedEvent]) -> dict[UUID, list[Reported]]:
    """What each shop reports about orders besides that they were paid."""
    found = [(each, each.event) for each in said if isinstance(each.event, Reported)]
    return {
        shop_id: [fact for each, fact in found if each.shop_id == shop_id]
        for shop_id in _shops([each for each, _ in found])
    }


def _shops(said: Sequence[ParsedEvent]) -> list[UUID]:
    return sorted({each.shop_id for each in said})
