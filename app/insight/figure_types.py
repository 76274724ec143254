"""What a figure is: a query that counts rows by shop, day and key, for any slice of time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.base.ids import id_at
from app.insight.periods import Period
from app.insight.roll_rules import FOREVER

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(days=1)
"""More than the clocks differ of which one made a row's id and the other its time."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Which rows a figure counts, and whether it does so day by day.

    By day, the figure is what is known of each day whatever comes after; otherwise what one period
    by itself shows: of each person the latest response in it.
    """

    periods: tuple[Period, ...]
    by_day: bool = False
    with_unsurveyed: bool = False
    """Whether referrers who came by no response are counted, at `NO_DAY`."""

    @classmethod
    def no_day(cls) -> "Slice":
        """What counts at `NO_DAY`."""
        return cls((Period(_EPOCH, _EPOCH),), by_day=True, with_unsurveyed=True)

    def within(self, column: str) -> str:
        """The SQL condition that a time lies in the slice."""
        return self._any(column, "start", "end")

    def id_within(self, column: str) -> str:
        """A wider condition on a row's id, so that its index narrows a search.

        An id begins with the time it was made (UUIDv7); `within` on the row's time decides exactly.
        """
        return self._any(column, "first", "last")

    def _any(self, column: str, start: str, end: str) -> str:
        parts = []
        for number, period in enumerate(self.periods):
            sides = [f"{column} >= :{start}{number}"] * (period.start is not None)
            sides += [f"{column} < :{end}{number}"] * (period.end is not None)
            parts.append(" AND ".join(sides) or "true")
        return f"({' OR '.join(parts)})"

    @property
    def values(self) -> dict[str, object]:
        """What `within` and `id_within` bind."""
        values: dict[str, object] = {}
        for number, period in enumerate(self.periods):
            if period.start is not None:
                values[f"start{number}"] = period.start
                values[f"first{number}"] = id_at(period.start - _CLOCKS_DIFFER)
            if period.end is not None:
                values[f"end{number}"] = period.end
                values[f"last{number}"] = id_at(period.end + _CLOCKS_DIFFER)
        return values

    def day(self, column: str) -> str:
        """The SQL of a time's day in the zone `:zone`; null where nothing is counted by day."""
        return f"({column} AT TIME ZONE :zone)::date" if self.by_day else "NULL::date"


@dataclass(frozen=True, slots=True)
class Part:
    """A table that several figures count: the SQL of its rows, which binds what a figure's does.

    It may read from the parts before it.
    """

    name: str
    query: Callable[[Slice], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """Numbers that are added up over days and shops.

    `select` returns the SQL of rows `shop_id day until key` and `columns`; it reads from `parts`
    and binds `brand`, `zone` and the slice's values. Each column is a bigint. It is grouped by the
    first four.
    """

    name: str
    columns: Sequence[str]
    select: Callable[[Slice], str]
    parts: Sequence[Part] = ()

    def query(self, slice_: Slice) -> str:
        """The SQL of the figure's rows alone."""
        return f"{with_parts(self.parts, slice_)} SELECT * FROM ({self.select(slice_)}) AS counted"


def with_parts(parts: Iterable[Part], slice_: Slice) -> str:
    """The SQL that begins a statement over these parts, each once; empty for none."""
    known = {part.name: f"{part.name} AS ({part.query(slice_)})" for part in parts}
    return f"WITH {', '.join(known.values())}" if known else ""


UNTIL_FOREVER = f"DATE '{FOREVER}'"
"""`until` of what no later row can take out of a period, in SQL."""
EVERYTHING = "''::text"
"""The key of a figure that has none, in SQL."""
