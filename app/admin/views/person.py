"""A person's facts and time line as their page shows them: newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from app.customers.schemas import CustomerRow
from app.insight.schemas import TimelineEntry


@dataclass(slots=True)
class Happening:
    """An entry of the time line; `kind` is `key`, `not` or empty."""

    kind: str
    at: datetime
    title: str
    text: str = ""
    quote: str = ""
    href: str = ""
    steps: list[TimelineEntry] = field(default_factory=list)


class PersonValues(TypedDict):
    """The values of `admin/person.html`."""

    person: CustomerRow
    entries: list[Happening]


def person_values(person: CustomerRow, entries: Sequence[TimelineEntry]) -> PersonValues:
    """The page's values; entries come oldest first and are shown newest first."""
    return {"person": person, "entries": [Happening("", each.at, each.text) for each in reversed(entries)]}
