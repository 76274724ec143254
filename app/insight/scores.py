"""The score and the response rate of a period, in all and by group. One answer a person a window counts: the latest."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.nps import Counts, Interval, wilson
from app.insight.periods import Period, about, binds, id_binds, within
from app.insight.schemas import IntervalShape, NpsReport, Score, ScoreGroup

MOST_GROUPS = 500
"""Groups answered at most: the latest weeks or months, else those with the most answers."""


class By(StrEnum):
    """What answers can be grouped by."""

    week = "week"
    month = "month"
    product = "product"
    country = "country"
    channel = "channel"
    locale = "locale"
    shop = "shop"


_IN_TIME = frozenset({By.week, By.month})
_KEYS = {
    By.week: "to_char(date_trunc('week', r.answered_at AT TIME ZONE :zone), 'YYYY-MM-DD')",
    By.month: "to_char(r.answered_at AT TIME ZONE :zone, 'YYYY-MM')",
    By.product: "coalesce(item.value ->> 'sku', item.value ->> 'title')",
    By.country: "CASE WHEN r.order_id IS NULL THEN c.country ELSE o.country END",
    By.channel: "r.channel",
    By.locale: "coalesce(c.locale, sh.locale)",
    By.shop: "sh.slug",
}
# A response to a survey that is not about an order has none; it counts by its survey's shop and its
# customer's country, and has no product.
_ORDERS = "LEFT JOIN orders o ON o.brand_id = r.brand_id AND o.id = r.order_id"
_CUSTOMERS = "JOIN customers c ON c.brand_id = r.brand_id AND c.id = r.customer_id"
_SHOPS = """
    JOIN surveys s ON s.brand_id = r.brand_id AND s.id = r.survey_id
    JOIN shops sh ON sh.brand_id = r.brand_id AND sh.id = s.shop_id
"""
_JOINS = {
    # A response counts once for each product of its order.
    By.product: f"{_ORDERS} LEFT JOIN LATERAL jsonb_array_elements(o.items) AS item ON true",
    By.country: f"{_ORDERS} {_CUSTOMERS}",
    By.locale: f"{_SHOPS} {_CUSTOMERS}",
    By.shop: _SHOPS,
}
_BANDS = """
    count(DISTINCT r.id) FILTER (WHERE r.score >= 9) AS promoters,
    count(DISTINCT r.id) FILTER (WHERE r.score BETWEEN 7 AND 8) AS passives,
    count(DISTINCT r.id) FILTER (WHERE r.score <= 6) AS detractors
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many surveys that arrived were answered."""

    answered: int
    delivered: int

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
    """The answers of one week (its Monday), month, product, country, channel, locale or shop; `key` None: not known."""

    key: str | None
    counts: Counts


async def count_bands(session: AsyncSession, brand_id: int, period: Period) -> Counts:
    """Each person's latest answer in the period, counted by band."""
    found = await session.execute(
        text(f"SELECT {_counted('r.score')} FROM ({_latest(period)}) AS r"), binds(brand_id, period)
    )
    return _counts(found.one())


async def count_groups(session: AsyncSession, brand: Brand, period: Period, by: By) -> list[Group]:
    """The same by group. Each week and month is a window of its own, so that an old one never changes when people answer again.

    Weeks and months come in their order, other groups with the most answers first.
    """
    key, joins = _KEYS[by], _JOINS.get(by, "")
    if by in _IN_TIME:
        inner = _latest(period, f"{key} AS bucket,", f"{key}, ")
        query = f"SELECT bucket AS key, {_BANDS} FROM ({inner}) AS r GROUP BY 1 ORDER BY 1 DESC LIMIT {MOST_GROUPS}"
    else:
        query = f"""
            SELECT {key} AS key, {_BANDS} FROM ({_latest(period)}) AS r {joins}
            GROUP BY 1 ORDER BY count(DISTINCT r.id) DESC, 1 LIMIT {MOST_GROUPS}
        """
    values = binds(brand.id, period)
    if by in _IN_TIME:
        values["zone"] = brand.time_zone
    groups = [Group(row.key, _counts(row)) for row in await session.execute(text(query), values)]
    return groups[::-1] if by in _IN_TIME else groups


async def response_rate(session: AsyncSession, brand_id: int, period: Period) -> Rate:
    """Of the surveys handed over in the period, how many arrived and how many of these were answered.

    A survey arrived when its provider says so or when it was answered; on a channel without any receipt an accepted one counts.
    The row's own time decides, not the sending time: that is the clock answers are taken by.
    """
    rows = await session.execute(
        text(f"""
            SELECT count(r.id) AS answered,
                count(*) FILTER (WHERE m.sent_at IS NOT NULL OR r.id IS NOT NULL) AS accepted,
                count(*) FILTER (WHERE m.status IN ('delivered', 'complained') OR r.id IS NOT NULL)
                    AS delivered,
                bool_or(m.status IN ('delivered', 'bounced', 'complained')) AS receipts
            FROM messages m LEFT JOIN responses r ON r.brand_id = m.brand_id AND r.survey_id = m.subject_id
            WHERE m.brand_id = :brand AND m.template = 'survey'
                AND {within("m.created_at", period)} AND {about("m.id", period)}
            GROUP BY m.channel
        """),
        {**binds(brand_id, period), **id_binds(period)},
    )
    totals = [(row.answered, row.delivered if row.receipts else row.accepted) for row in rows]
    return Rate(sum(answered for answered, _ in totals), sum(arrived for _, arrived in totals))


async def nps_report(session: AsyncSession, brand: Brand, period: Period, by: By | None = None) -> NpsReport:
    """The score of a period with its response rate, and of each group where `by` is given."""
    rate = await response_rate(session, brand.id, period)
    counts = await count_bands(session, brand.id, period)
    groups = None if by is None else await count_groups(session, brand, period, by)
    return NpsReport(
        **Score.values(counts),
        response_rate=None if rate.value is None else round(rate.value, 6),
        response_rate_interval=IntervalShape.of(rate.interval, 6),
        answered=rate.answered,
        delivered=rate.delivered,
        from_=period.start,
        to=period.end,
        by=by,
        groups=groups and [ScoreGroup(key=group.key, **Score.values(group.counts)) for group in groups],
    )


def _latest(period: Period, columns: str = "", windows: str = "") -> str:
    return f"""
        SELECT DISTINCT ON ({windows}r.customer_id) {columns} r.brand_id, r.id, r.customer_id, r.survey_id, r.order_id,
            r.channel, r.score
        FROM responses r WHERE r.brand_id = :brand AND {within("r.answered_at", period)}
        ORDER BY {windows}r.customer_id, r.answered_at DESC, r.id DESC
    """


def _counted(score: str) -> str:
    return f"""
        count(*) FILTER (WHERE {score} >= 9) AS promoters,
        count(*) FILTER (WHERE {score} BETWEEN 7 AND 8) AS passives,
        count(*) FILTER (WHERE {score} <= 6) AS detractors
    """


def _counts(row: Row[Any]) -> Counts:
    return Counts(row.promoters, row.passives, row.detractors)
