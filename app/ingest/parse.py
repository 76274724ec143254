"""Parse the deliveries of a batch, each by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.brands.models import Shop
from app.ingest.claim import WaitingDelivery
from app.ingest.failures import failed
from app.ingest.rules import NOTHING_USED, DeliveryStatus, ParsedEvent, ProcessingResult, with_person_dated
from app.platforms.delivery_types import NeedsFetch, RawDelivery
from app.platforms.events import PlatformEvent
from app.platforms.registry import PARSERS
from app.platforms.settings import PlatformSettings
from app.platforms.shop_settings import settings_of

_NO_ACCOUNTS: Mapping[UUID, str] = {}
FETCHED_IN_VAIN = "What was fetched for it does not hold what it names."


@dataclass(slots=True)
class ParsedBatch:
    """Every delivery of a batch is in exactly one of these."""

    events: list[list[ParsedEvent]] = field(default_factory=list)
    """Of each delivery that has any, in the order of arrival."""
    fetches: dict[UUID, NeedsFetch] = field(default_factory=dict)
    results: dict[UUID, ProcessingResult] = field(default_factory=dict)
    """Deliveries without events: ignored, or failed with a reason."""

    def add_fetch(self, delivery: WaitingDelivery, needed: NeedsFetch) -> None:
        """Store what must be fetched; a delivery that asks for it twice fails: no endless loop."""
        if delivery.fetched is None:
            self.fetches[delivery.id] = needed
        else:
            self.results[delivery.id] = ProcessingResult(DeliveryStatus.failed, FETCHED_IN_VAIN)


def parse_deliveries(
    waiting: Sequence[WaitingDelivery],
    shops: Mapping[UUID, Shop],
    accounts: Mapping[UUID, str] = _NO_ACCOUNTS,
) -> ParsedBatch:
    """Parse each delivery, by the settings of its shop and the account that it is connected to.

    One on which the parser raises fails, and the others are parsed all the same.
    """
    batch = ParsedBatch()
    settings: dict[UUID, PlatformSettings | None] = {}
    for delivery in waiting:
        try:
            if delivery.shop_id not in settings:
                shop = shops.get(delivery.shop_id)
                settings[delivery.shop_id] = settings_of(shop) if shop else None
            parsed = PARSERS[delivery.source].parse(
                _raw(delivery, settings[delivery.shop_id], accounts.get(delivery.shop_id))
            )
        except Exception as error:  # noqa: BLE001  # no delivery may hold up the others
            batch.results[delivery.id] = failed(delivery.id, error)
            continue
        if isinstance(parsed, NeedsFetch):
            batch.add_fetch(delivery, parsed)
        elif parsed:
            batch.events.append([_parsed_event(delivery, event) for event in parsed])
        else:
            batch.results[delivery.id] = ProcessingResult(DeliveryStatus.ignored, NOTHING_USED)
    return batch


def _raw(delivery: WaitingDelivery, settings: PlatformSettings | None, account: str | None) -> RawDelivery:
    return RawDelivery(
        delivery.topic, delivery.body, delivery.received_at, delivery.fetched, settings, account
    )


def _parsed_event(delivery: WaitingDelivery, event: PlatformEvent) -> ParsedEvent:
    dated = with_person_dated(event, received_at=delivery.received_at)
    return ParsedEvent(delivery.id, delivery.sequence, delivery.shop_id, dated)
