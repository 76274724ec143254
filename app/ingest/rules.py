"""Pure decisions of ingest: a delivery's states, grouping of events, when a fetch is retried."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from app.base.frozen import quick
from app.base.replace import replaced
from app.customers.match import ComparablePerson
from app.customers.person import Person, stated_at
from app.orders.version_rules import StatedOrder
from app.platforms.events import CustomerUpdated, FactEvent, OrderPaid, PlatformEvent

NOTHING_USED = "It holds nothing that Tenfold uses."
"""The reason of every ignored delivery; its topic shows the rest."""
MAX_FETCH_ATTEMPTS = 12
"""With `fetch_delay` between them: a little more than 20 hours."""
_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(hours=6)
_Event = TypeVar("_Event")


class DeliveryStatus(StrEnum):
    """The state of a delivery."""

    new = "new"
    fetching = "fetching"
    """Its content is being fetched from the platform; then it is `new` again."""
    processed = "processed"
    ignored = "ignored"
    failed = "failed"


@dataclass(frozen=True, slots=True)
class ProcessingResult:
    """The status that processing gave a delivery, and why where it came to nothing."""

    status: DeliveryStatus
    reason: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class ReadOrder:
    """What was made of a paid order before its batch began, while the database worked."""

    person: ComparablePerson
    order: StatedOrder


@quick
@dataclass(frozen=True, slots=True, eq=False)
class ParsedEvent:
    """One event of a delivery. `sequence` is the delivery's place in the order of arrival."""

    delivery_id: UUID
    sequence: int
    shop_id: UUID
    event: PlatformEvent
    read: ReadOrder | None = None


@dataclass(frozen=True, slots=True)
class CustomerLink:
    """A delivery and a customer it names: by `customer_id`, or as the customer of an order."""

    delivery_id: UUID
    customer_id: UUID | None
    shop_id: UUID | None = None
    external_id: str | None = None


def with_person_dated(event: PlatformEvent, *, received_at: datetime) -> PlatformEvent:
    """The event, and its person's statements with the time of the order or of the event."""
    match event:
        case OrderPaid(placed_at=at) | CustomerUpdated(at=at):
            return replaced(event, person=stated_at(event.person, at, received_at=received_at))
        case _:
            return event


def people_by_shop(events: Sequence[ParsedEvent]) -> dict[UUID, list[tuple[ParsedEvent, Person]]]:
    """The person of each event that has one, in the order of arrival.

    Shops are in the order of their ids, in which rows are locked.
    """
    return _by_shop(
        (each, each.event.person) for each in events if isinstance(each.event, (OrderPaid, CustomerUpdated))
    )


def orders_by_shop(events: Sequence[ParsedEvent]) -> dict[UUID, list[tuple[ParsedEvent, OrderPaid]]]:
    """Each `OrderPaid`, in the order of arrival; shops in the order of their ids."""
    return _by_shop((each, each.event) for each in events if isinstance(each.event, OrderPaid))


def facts_by_shop(events: Sequence[ParsedEvent]) -> dict[UUID, list[FactEvent]]:
    """What was reported about orders, in the order of arrival; shops in the order of their ids."""
    found = _by_shop((each, each.event) for each in events if isinstance(each.event, FactEvent))
    return {shop_id: [event for _, event in pairs] for shop_id, pairs in found.items()}


def _by_shop(pairs: Iterable[tuple[ParsedEvent, _Event]]) -> dict[UUID, list[tuple[ParsedEvent, _Event]]]:
    grouped: dict[UUID, list[tuple[ParsedEvent, _Event]]] = {}
    for pair in pairs:
        grouped.setdefault(pair[0].shop_id, []).append(pair)
    return dict(sorted(grouped.items()))


def customer_links(
    events: Sequence[ParsedEvent], customers: Mapping[ParsedEvent, UUID | None]
) -> list[CustomerLink]:
    """Which customers these events name; a fact about an order names the order's customer."""
    links: dict[CustomerLink, None] = {}
    for each in events:
        if isinstance(each.event, FactEvent):
            link = CustomerLink(each.delivery_id, None, each.shop_id, each.event.order_id)
        elif customer_id := customers.get(each):
            link = CustomerLink(each.delivery_id, customer_id)
        else:
            continue
        links[link] = None
    return list(links)


def erased_links(erased: Mapping[ParsedEvent, Collection[UUID]]) -> list[CustomerLink]:
    """Which customers the erasures of a batch name."""
    return [CustomerLink(each.delivery_id, one) for each, found in erased.items() for one in sorted(found)]


def fetch_delay(attempts: int, retry_after: float | None = None) -> timedelta:
    """How long to wait after this many failed attempts (at least 1): 1 minute, doubled up to 6 h.

    `retry_after`, in seconds, is the least that the platform asked for.
    """
    doublings = min(attempts - 1, 20)
    delay = min(_FIRST_DELAY * (1 << doublings), _LONGEST_DELAY)
    return max(delay, timedelta(seconds=retry_after or 0))
