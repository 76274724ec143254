"""Our own format of files: a JSON object a line, an order or a whole event."""

from datetime import datetime

from app.platforms.checkout.parse import parse_event, read_order
from app.platforms.events import CustomerErased, OrderPaid, PlatformEvent, Unparseable
from app.platforms.fields import Fields, load


def read_line(line: bytes, received_at: datetime) -> list[PlatformEvent]:
    """The events of a line, none for a type that is not used. Raises `Unparseable`.

    An order must say when it was placed, another event when it took place: the time of the import
    says nothing about either. A file erases nobody.
    """
    body = load(line)
    if "type" not in body.values:
        return [read_order(body, _time(body, "placed_at"))]
    events = parse_event(body, received_at)
    data = body.object_or_empty("data")
    if events and body.informational.moment("timestamp") is None:
        _time(data, "placed_at" if isinstance(events[0], OrderPaid) else "at")
    if any(isinstance(each, CustomerErased) for each in events):
        raise Unparseable("A file erases nobody; use tenfold person erase.")
    return events


def _time(data: Fields, name: str) -> datetime:
    at = data.moment(name)
    if at is None:
        raise data.wrong(name, "is missing")
    return at
