"""The score and the response rate of a period, in all and by group.

Of each person the latest response of the period counts, but those to trials and those left out.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.nps import Counts, Interval, wilson
from app.insight.periods import Period, binds, id_binds, id_within, within
from app.insight.schemas import IntervalShape, NpsReport, Score, ScoreGroup
from app.surveys.models import COUNTS

MOST_GROUPS = 500
"""Groups returned at most: the latest weeks or months, else those with the most responses."""


class By(StrEnum):
    """What responses can be grouped by."""

    week = "week"
    month = "month"
    product = "product"
    country = "country"
    channel = "channel"
    locale = "locale"
    shop = "shop"


_IN_TIME = frozenset({By.week, By.month})
_KEYS = {
    By.week: "to_char(date_trunc('week', responses.answered_at AT TIME ZONE :zone), 'YYYY-MM-DD')",
    By.month: "to_char(responses.answered_at AT TIME ZONE :zone, 'YYYY-MM')",
    By.product: "coalesce(item.value ->> 'sku', item.value ->> 'title')",
    By.country: "CASE WHEN latest.order_id IS NULL THEN customers.country ELSE orders.country END",
    By.channel: "latest.channel",
    By.locale: "coalesce(customers.locale, shops.locale)",
    By.shop: "shops.slug",
}
# A response to a survey that is not about an order has none; it counts by its survey's shop and its
# customer's country, and has no product.
# Each table is of the brand by itself: Citus does not see that the subquery is.
_ORDERS = "LEFT JOIN orders ON orders.brand_id = :brand AND orders.id = latest.order_id"
_CUSTOMERS = "JOIN customers ON customers.brand_id = :brand AND customers.id = latest.customer_id"
_SHOPS = """
    JOIN surveys ON surveys.brand_id = :brand AND surveys.id = latest.survey_id
    JOIN shops ON shops.brand_id = :brand AND shops.id = surveys.shop_id
"""
_JOINS = {
    # A response counts once for each product of its order.
    By.product: f"{_ORDERS} LEFT JOIN LATERAL json_array_elements(orders.items) AS item ON true",
    By.country: f"{_ORDERS} {_CUSTOMERS}",
    By.locale: f"{_SHOPS} {_CUSTOMERS}",
    By.shop: _SHOPS,
}
_BANDS = """
    count(*) FILTER (WHERE latest.score >= 9) AS promoters,
    count(*) FILTER (WHERE latest.score BETWEEN 7 AND 8) AS passives,
    count(*) FILTER (WHERE latest.score <= 6) AS detractors
"""
_BANDS_OF_GROUP = """
    count(DISTINCT latest.id) FILTER (WHERE latest.score >= 9) AS promoters,
    count(DISTINCT latest.id) FILTER (WHERE latest.score BETWEEN 7 AND 8) AS passives,
    count(DISTINCT latest.id) FILTER (WHERE latest.score <= 6) AS detractors
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many surveys that arrived were answered."""

    answered: int
    delivered: int
    confirmed: bool = False
    """Whether the providers report deliveries; otherwise `delivered` were accepted by them."""

    @property
    def value(self) -> float | None:
        """A fraction of 1; None where nothing arrived."""
        return self.answered / self.delivered if self.delivered else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's, as fractions of 1."""
        return wilson(self.answered, self.delivered)


@dataclass(frozen=True, slots=True)
class Group:
    """The responses of one group, such as a product or a shop.

    `key` is the Monday of a week (`2026-03-02`), a month is `2026-03`; None where it is not known.
    """

    key: str | None
    counts: Counts


async def count_bands(session: AsyncSession, brand_id: int, period: Period) -> Counts:
    """Each person's latest response in the period, counted by band."""
    found = await session.execute(
        text(f"SELECT {_BANDS} FROM ({_latest(period)}) AS latest"), binds(brand_id, period)
    )
    return _counts(found.one())


async def count_groups(session: AsyncSession, brand: Brand, period: Period, by: By) -> list[Group]:
    """The same by group: of each person the latest response of the period counts.

    Of each week and month the latest in it counts, so that an old one does not change when people
    answer again. Weeks and months come in their order, other groups with the most responses first.
    """
    key, joins = _KEYS[by], _JOINS.get(by, "")
    if by in _IN_TIME:
        inner = _latest(period, f"{key} AS bucket,", f"{key}, ")
        query = f"""
            SELECT bucket AS key, {_BANDS_OF_GROUP} FROM ({inner}) AS latest
            GROUP BY 1 ORDER BY 1 DESC LIMIT {MOST_GROUPS}
        """
    else:
        query = f"""
            SELECT {key} AS key, {_BANDS_OF_GROUP} FROM ({_latest(period)}) AS latest {joins}
            GROUP BY 1 ORDER BY count(DISTINCT latest.id) DESC, 1 LIMIT {MOST_GROUPS}
        """
    values = binds(brand.id, period)
    if by in _IN_TIME:
        values["zone"] = brand.time_zone
    groups = [Group(row.key, _counts(row)) for row in await session.execute(text(query), values)]
    return groups[::-1] if by in _IN_TIME else groups


async def response_rate(session: AsyncSession, brand_id: int, period: Period) -> Rate:
    """How many of the surveys handed over in the period arrived, and how many were answered.

    A survey arrived when its provider reports so or when it was answered; on a channel whose
    provider reports no deliveries, an accepted one counts. A survey is in the period by the time
    its message's row was created, not by its sending time: responses are dated by the same clock.
    """
    rows = await session.execute(
        text(f"""
            SELECT count(responses.id) AS answered,
                count(*) FILTER (WHERE messages.sent_at IS NOT NULL OR responses.id IS NOT NULL)
                    AS accepted,
                count(*) FILTER (WHERE messages.status IN ('delivered', 'complained')
                    OR responses.id IS NOT NULL) AS delivered,
                bool_or(messages.status IN ('delivered', 'bounced', 'complained')) AS reports_delivery
            FROM messages LEFT JOIN responses ON responses.brand_id = messages.brand_id
                AND responses.survey_id = messages.subject_id
            WHERE messages.brand_id = :brand AND messages.template = 'survey'
                AND NOT messages.trial
                AND {within("messages.created_at", period)} AND {id_within("messages.id", period)}
            GROUP BY messages.channel
        """),
        {**binds(brand_id, period), **id_binds(period)},
    )
    found = rows.all()
    totals = [(row.answered, row.delivered if row.reports_delivery else row.accepted) for row in found]
    return Rate(
        sum(answered for answered, _ in totals),
        sum(delivered for _, delivered in totals),
        bool(found) and all(row.reports_delivery for row in found),
    )


async def nps_report(session: AsyncSession, brand: Brand, period: Period, by: By | None = None) -> NpsReport:
    """The score of a period with its response rate, and of each group where `by` is given."""
    rate = await response_rate(session, brand.id, period)
    counts = await count_bands(session, brand.id, period)
    found = None if by is None else await count_groups(session, brand, period, by)
    groups = (
        None if found is None else [ScoreGroup(key=each.key, **Score.values(each.counts)) for each in found]
    )
    return NpsReport(
        **Score.values(counts),
        response_rate=None if rate.value is None else round(rate.value, 6),
        response_rate_interval=IntervalShape.of(rate.interval, 6),
        answered=rate.answered,
        delivered=rate.delivered,
        from_=period.start,
        to=period.end,
        by=by,
        groups=groups,
    )


def _latest(period: Period, columns: str = "", groups: str = "") -> str:
    """The SQL of each person's latest response in the period, or in each of `groups` of it."""
    return f"""
        SELECT DISTINCT ON ({groups}responses.customer_id) {columns} responses.brand_id, responses.id,
            responses.customer_id, responses.survey_id, responses.order_id, responses.channel,
            responses.score
        FROM responses WHERE responses.brand_id = :brand AND {COUNTS.format("responses")}
            AND {within("responses.answered_at", period)}
        ORDER BY {groups}responses.customer_id, responses.answered_at DESC, responses.id DESC
    """


def _counts(row: Row[Any]) -> Counts:
    return Counts(row.promoters, row.passives, row.detractors)
