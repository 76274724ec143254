"""What a figure is: a query that counts rows by shop, day and key, for any slice of time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.insight.periods import Period, within
from app.insight.roll_rules import FOREVER

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which rows a figure counts, and whether it does so day by day.

    By day, the figure is what is known of each day whatever comes after; otherwise what the period
    by itself shows: of each person the latest response in it.
    """

    period: Period
    by_day: bool = False
    with_unsurveyed: bool = False
    """Whether referrers who came by no response are counted, at `NO_DAY`."""

    @classmethod
    def no_day(cls) -> "Slice":
        """What counts at `NO_DAY`."""
        return cls(Period(_EPOCH, _EPOCH), by_day=True, with_unsurveyed=True)

    def within(self, column: str) -> str:
        """The SQL condition that a time lies in the slice; it binds as `periods.within`."""
        return within(column, self.period)

    def day(self, column: str) -> str:
        """The SQL of a time's day in the zone `:zone`; null where nothing is counted by day."""
        return f"({column} AT TIME ZONE :zone)::date" if self.by_day else "NULL::date"


@dataclass(frozen=True, slots=True)
class Figure:
    """Numbers that are added up over days and shops.

    `query` returns the SQL of rows `shop_id day until key` and `columns`; it binds `brand`, what
    `periods.binds` and `periods.id_binds` return, and `zone`. Each column is a bigint. It is
    grouped by the first four.
    """

    name: str
    columns: Sequence[str]
    query: Callable[[Slice], str]


UNTIL_FOREVER = f"DATE '{FOREVER}'"
"""`until` of what no later row can take out of a period, in SQL."""
EVERYTHING = "''::text"
"""The key of a figure that has none, in SQL."""
