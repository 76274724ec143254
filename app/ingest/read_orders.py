"""Read a file of orders up to what needs the database.

This runs in the process that applies the orders or in one of its own
(`app.ingest.reading_process`), so it imports nothing of the database's.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from app.base.frozen import quick
from app.base.tokens import Tokens
from app.customers.match import comparable
from app.ingest.order_file import OrderFile, OrderFileReader
from app.ingest.rules import ReadOrder, with_person_dated
from app.orders.stated import state_order
from app.platforms.events import OrderPaid, PlatformEvent
from app.platforms.order_files import FileShop


@quick
@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event, and what `read_events` made of a paid order."""

    event: PlatformEvent
    order: ReadOrder | None = None


@quick
@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record of a file with its events as they are applied."""

    line: int
    events: Sequence[ReadEvent]
    refused: str | None = None


class Piece(NamedTuple):
    """A few records of a file, in their order."""

    records: Sequence[ReadRecord]
    position: int
    """Bytes of the file that were read so far."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file is read for: one shop's orders, at a time, after its first `skip` records."""

    file: OrderFile
    file_shop: FileShop
    tokens: Tokens
    brand_id: int
    shop_id: UUID
    now: datetime
    skip: int = 0


def read_pieces(reading: Reading, size: int) -> Generator[Piece, None, None]:
    """The file's records, so many at a time."""
    reader = OrderFileReader(reading.file, reading.file_shop)
    records = reader.records(skip=reading.skip)
    while piece := [
        ReadRecord(
            each.line,
            read_events(reading.tokens, reading.brand_id, reading.shop_id, each.events, now=reading.now),
            each.refused,
        )
        for each in islice(records, size)
    ]:
        yield Piece(piece, reader.position)


def read_events(
    tokens: Tokens, brand_id: int, shop_id: UUID, events: Sequence[PlatformEvent], *, now: datetime
) -> list[ReadEvent]:
    """The events with all that can be made of them without the database."""
    return [_read(tokens, brand_id, shop_id, event, now) for event in events]


def _read(tokens: Tokens, brand_id: int, shop_id: UUID, event: PlatformEvent, now: datetime) -> ReadEvent:
    if isinstance(event, OrderPaid) and event.trial:
        event = replace(event, trial=False)
    event = with_person_dated(event, received_at=now)
    if not isinstance(event, OrderPaid):
        return ReadEvent(event)
    try:
        order = state_order(tokens, brand_id, shop_id, event)
        return ReadEvent(event, ReadOrder(comparable(event.person, now=now), order))
    except Exception:  # noqa: BLE001  # it fails again in its batch, and there alone
        return ReadEvent(event)
