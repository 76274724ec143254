"""Which days' figures follow from rows that changed: the queries that lead from a row to its days.

Each binds `brand`, `zone`, `ids` and `moved`, and returns days in the zone. A row may lead to a day
that it does not change; that day is computed again for nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.touched import TouchedTable
from app.brands.rules import zone_or
from app.insight.activity_figures import IS_COUNTED, IS_REAL
from app.insight.band_figures import with_band
from app.insight.promoter_figures import FOLLOWED_DAYS
from app.insight.roll_rules import NO_DAY
from app.surveys.models import COUNTS

_GIVEN = "ANY(CAST(:ids AS uuid[]))"


def _days(*times: str) -> str:
    """The SQL of the days of the times that these queries return; what has no time is `NO_DAY`."""
    return f"""
        SELECT DISTINCT coalesce((found.at AT TIME ZONE :zone)::date, DATE '{NO_DAY}') AS day
        FROM ({" UNION ALL ".join(times)}) AS found (at)
    """


def _cohort_of(surveys: str) -> str:
    """The times at which surveys count in the funnel: `surveys` is what selects them."""
    return f"""
        SELECT coalesce(orders.placed_at, surveys.triggered_at) FROM surveys
        LEFT JOIN orders ON orders.brand_id = :brand AND orders.id = surveys.order_id
        WHERE surveys.brand_id = :brand AND {surveys}
    """


def _cohort_of_referrers(referrers: str) -> str:
    """The same of the surveys that made referrers."""
    return f"""
        SELECT coalesce(orders.placed_at, surveys.triggered_at) FROM referrers
        LEFT JOIN surveys ON surveys.brand_id = :brand AND surveys.id = referrers.survey_id
        LEFT JOIN orders ON orders.brand_id = :brand AND orders.id = surveys.order_id
        WHERE referrers.brand_id = :brand AND {referrers}
    """


_REDEEMED = f"""
    SELECT redemptions.{{0}} FROM redemptions
    WHERE redemptions.brand_id = :brand AND redemptions.order_id = {_GIVEN}
"""
_PROMOTED = """
    SELECT responses.answered_at FROM referrers JOIN responses ON responses.brand_id = :brand
        AND responses.survey_id = referrers.survey_id
    WHERE referrers.brand_id = :brand AND {0}
"""
"""The times of the responses that made referrers."""
_OF_REFERRERS = """
    SELECT orders.placed_at FROM redemptions JOIN orders ON orders.brand_id = :brand
        AND orders.id = redemptions.order_id
    WHERE redemptions.brand_id = :brand AND redemptions.referrer_id IN ({0})
"""
"""The times of all friends' orders of referrers."""
_THEIRS_BEFORE = f"""
    SELECT touched.id AS touched_id, theirs.referrer_id, orders.id, orders.currency, orders.placed_at
    FROM redemptions AS mine
    JOIN orders AS touched ON touched.brand_id = :brand AND touched.id = mine.order_id
    JOIN redemptions AS theirs ON theirs.brand_id = :brand AND theirs.referrer_id = mine.referrer_id
    JOIN orders ON orders.brand_id = :brand AND orders.id = theirs.order_id AND {IS_REAL}
        AND (orders.placed_at, orders.id) < (touched.placed_at, touched.id)
    WHERE mine.brand_id = :brand AND mine.order_id = {_GIVEN}
        AND {IS_COUNTED.replace("redemptions", "theirs")}
"""
"""Friends' orders of the same referrers before those that changed."""
_LATEST_BEFORE = f"""
    (SELECT DISTINCT ON (touched_id, currency, band) placed_at FROM ({with_band(_THEIRS_BEFORE)}) AS theirs
    ORDER BY touched_id, currency, band, placed_at DESC, id DESC)
"""
"""Of them the latest in each band and currency: its referrer counts there until the next one."""
_ENTRIES = """
    SELECT entries.occurred_at FROM ledger_entries AS entries
    WHERE entries.brand_id = :brand AND entries.cause_id {0}
"""
_MESSAGES = f"FROM messages WHERE messages.brand_id = :brand AND messages.id = {_GIVEN}"

DAYS: Mapping[TouchedTable, str] = {
    "orders": _days(
        f"SELECT placed_at FROM orders WHERE orders.brand_id = :brand AND orders.id = {_GIVEN}",
        _REDEEMED.format("approved_at") + " AND redemptions.approved_at IS NOT NULL",
        _ENTRIES.format(f"IN ({_REDEEMED.format('id')})"),
        _cohort_of_referrers(f"referrers.id IN ({_REDEEMED.format('referrer_id')})"),
        _PROMOTED.format(f"referrers.id IN ({_REDEEMED.format('referrer_id')})"),
        _LATEST_BEFORE,
        # Of one that moved, the order that came before it is not known any more.
        _OF_REFERRERS.format(
            f"{_REDEEMED.format('referrer_id')} AND redemptions.order_id = ANY(CAST(:moved AS uuid[]))"
        ),
        # Its buyer's responses as a promoter, which it may have followed.
        f"""SELECT responses.answered_at FROM orders JOIN responses ON responses.brand_id = :brand
                AND responses.customer_id = orders.customer_id AND responses.score >= 9
                AND responses.answered_at < orders.placed_at
                AND responses.answered_at >= orders.placed_at - interval '{FOLLOWED_DAYS + 1} days'
            WHERE orders.brand_id = :brand AND orders.id = {_GIVEN}""",
        # Its own response, and those to later orders, whose buyer had ordered before.
        f"""SELECT responses.answered_at FROM orders AS touched JOIN orders ON orders.brand_id = :brand
                AND orders.customer_id = touched.customer_id AND orders.placed_at >= touched.placed_at
            JOIN surveys ON surveys.brand_id = :brand AND surveys.cause_kind = 'order'
                AND surveys.cause_id = orders.id
            JOIN responses ON responses.brand_id = :brand AND responses.survey_id = surveys.id
            WHERE touched.brand_id = :brand AND touched.id = {_GIVEN}""",
        # A response stays that of who answered where the order turned out to be somebody else's.
        f"""SELECT responses.answered_at FROM surveys JOIN responses ON responses.brand_id = :brand
                AND responses.survey_id = surveys.id
            WHERE surveys.brand_id = :brand AND surveys.cause_kind = 'order'
                AND surveys.cause_id = {_GIVEN}""",
    ),
    "messages": _days(
        f"SELECT created_at {_MESSAGES}",
        _cohort_of(f"surveys.id IN (SELECT subject_id {_MESSAGES} AND template IN ('survey', 'reminder'))"),
        # A person's offers follow from each other: the first one counts.
        f"""SELECT others.created_at FROM messages AS others WHERE others.brand_id = :brand
            AND others.customer_id IN (SELECT customer_id {_MESSAGES} AND template = 'offer')
            AND others.template = 'offer'""",
        _cohort_of_referrers(
            f"referrers.customer_id IN (SELECT customer_id {_MESSAGES} AND template = 'offer')"
        ),
        _PROMOTED.format(f"referrers.customer_id IN (SELECT customer_id {_MESSAGES} AND template = 'offer')"),
    ),
    "responses": _days(
        # One that was changed counted on another day before, mostly on the same.
        f"""SELECT at FROM responses CROSS JOIN LATERAL generate_series(
                responses.first_answered_at, responses.answered_at, interval '12 hours') AS at
            WHERE responses.brand_id = :brand AND responses.id = {_GIVEN}""",
        # Those of the same person that it follows, or did.
        f"""SELECT responses.answered_at FROM responses AS touched
            JOIN responses ON responses.brand_id = :brand
                AND responses.customer_id = touched.customer_id
                AND responses.answered_at <= touched.answered_at
                AND responses.answered_at >= coalesce((SELECT max(earlier.answered_at)
                    FROM responses AS earlier WHERE earlier.brand_id = :brand AND {COUNTS.format("earlier")}
                        AND earlier.customer_id = touched.customer_id
                        AND earlier.answered_at < touched.first_answered_at), touched.first_answered_at)
            WHERE touched.brand_id = :brand AND touched.id = {_GIVEN}""",
        # Later ones of a promoter: the first one counts in the comparison with those held out.
        f"""SELECT responses.answered_at FROM responses AS touched
            JOIN responses ON responses.brand_id = :brand
                AND responses.customer_id = touched.customer_id AND responses.score >= 9
                AND responses.answered_at >= touched.first_answered_at
            WHERE touched.brand_id = :brand AND touched.id = {_GIVEN}""",
        _OF_REFERRERS.format(f"""SELECT referrers.id FROM responses JOIN referrers
            ON referrers.brand_id = :brand AND referrers.customer_id = responses.customer_id
            WHERE responses.brand_id = :brand AND responses.id = {_GIVEN}"""),
        f"""SELECT messages.created_at FROM responses JOIN messages ON messages.brand_id = :brand
                AND messages.template = 'survey' AND messages.subject_id = responses.survey_id
            WHERE responses.brand_id = :brand AND responses.id = {_GIVEN}""",
        _cohort_of(
            f"""surveys.id IN (SELECT survey_id FROM responses
                WHERE responses.brand_id = :brand AND responses.id = {_GIVEN})"""
        ),
    ),
    "referrers": _days(
        _cohort_of_referrers(f"referrers.id = {_GIVEN}"),
        _PROMOTED.format(f"referrers.id = {_GIVEN}"),
        _OF_REFERRERS.format(f"SELECT id FROM referrers WHERE brand_id = :brand AND id = {_GIVEN}"),
    ),
    "rewards": _days(_ENTRIES.format(f"= {_GIVEN}")),
    "surveys": _days(_cohort_of(f"surveys.id = {_GIVEN}")),
    "customers": _days(
        f"""SELECT answered_at FROM responses
            WHERE responses.brand_id = :brand AND responses.customer_id = {_GIVEN}"""
    ),
}

ALL_DAYS = _days(
    "SELECT placed_at FROM orders WHERE orders.brand_id = :brand",
    "SELECT triggered_at FROM surveys WHERE surveys.brand_id = :brand AND surveys.cause_kind <> 'order'",
    "SELECT created_at FROM messages WHERE messages.brand_id = :brand",
    "SELECT answered_at FROM responses WHERE responses.brand_id = :brand",
    """SELECT approved_at FROM redemptions WHERE redemptions.brand_id = :brand
        AND redemptions.approved_at IS NOT NULL""",
    """SELECT occurred_at FROM ledger_entries WHERE ledger_entries.brand_id = :brand
        AND account IN ('discount_cost', 'leaked_discount', 'reward_cost')""",
    "SELECT NULL::timestamptz",
)
"""The SQL of every day on which anything of the brand counts; binds `brand` and `zone`."""


class Note(Protocol):
    """A row of `touched_rows`."""

    @property
    def table_name(self) -> str:
        """The table."""

    @property
    def row_ids(self) -> Sequence[UUID]:
        """Its rows."""

    @property
    def moments(self) -> Sequence[datetime]:
        """Times that they no longer have."""


@dataclass(slots=True)
class Touched:
    """Rows that changed, each once, and the times that some no longer have."""

    rows: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    moments: set[datetime] = field(default_factory=set)
    moved: set[UUID] = field(default_factory=set)
    """Those whose own note has such times."""

    @classmethod
    def of(cls, notes: Iterable[Note]) -> "Touched":
        """What several notes say together."""
        touched = cls()
        for note in notes:
            touched.rows[note.table_name].update(note.row_ids)
            touched.moments.update(note.moments)
            if note.moments:
                touched.moved.update(note.row_ids)
        return touched


async def days_of(session: AsyncSession, brand_id: int, zone: str, touched: Touched) -> Collection[date]:
    """The days whose figures may follow from these rows."""
    known = zone_or(zone, "UTC")
    days = {moment.astimezone(known).date() for moment in touched.moments}
    moved = list(touched.moved)
    for table, query in DAYS.items():
        if ids := touched.rows.get(table):
            found = await session.scalars(
                text(query), {"brand": brand_id, "zone": known.key, "ids": list(ids), "moved": moved}
            )
            days.update(found)
    return days
