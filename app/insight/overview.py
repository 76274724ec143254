"""The numbers of the first page: one period beside the one before it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand
from app.insight.funnel import Funnel, funnel
from app.insight.nps import Change, Counts, change
from app.insight.periods import Period, before, binds, within
from app.insight.scores import By, Group, Rate, count_bands, count_groups, response_rate

LATEST = 20
"""Responses shown."""
_LONG_DAYS = 400
"""From this length on the line has a point a month, not a week."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Score, rate, path and latest answers of a period.

    `changed` and `rate_before` are None where nothing can be compared.
    """

    counts: Counts
    changed: Change | None
    rate: Rate
    rate_before: Rate | None
    by: By
    line: list[Group]
    funnel: Funnel
    answer_to_offer: float | None
    """Seconds within which 95 % of the period's promoters had their offer handed to a provider."""
    latest: list[Row[Any]]


async def overview(session: AsyncSession, brand: Brand, period: Period) -> Overview:
    """Gather it all; about a dozen queries, however many answers there are."""
    earlier = before(period)
    counts = await count_bands(session, brand.id, period)
    before_counts = await count_bands(session, brand.id, earlier) if earlier else Counts()
    by = By.week if _is_short(period) else By.month
    return Overview(
        counts=counts,
        changed=change(before_counts, counts),
        rate=await response_rate(session, brand.id, period),
        rate_before=await response_rate(session, brand.id, earlier) if earlier else None,
        by=by,
        line=await count_groups(session, brand, period, by),
        funnel=await funnel(session, brand.id, period),
        answer_to_offer=await _answer_to_offer(session, brand.id, period),
        latest=await _latest(session, brand.id, period),
    )


def _is_short(period: Period) -> bool:
    return period.start is not None and (period.end is None or (period.end - period.start).days < _LONG_DAYS)


async def _answer_to_offer(session: AsyncSession, brand_id: int, period: Period) -> float | None:
    """Both ends by the database's own clock: an answer's row and the row of the attempt that carried the offer."""
    found = await session.scalar(
        text(f"""
            SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM offered.at - r.created_at))
            FROM responses r JOIN referrers f ON f.brand_id = r.brand_id AND f.survey_id = r.survey_id
            JOIN LATERAL (
                SELECT min(a.created_at) AS at FROM messages m
                JOIN attempts a ON a.brand_id = m.brand_id AND a.message_id = m.id AND a.status = 'accepted'
                WHERE m.brand_id = f.brand_id AND m.customer_id = f.customer_id AND m.template = 'offer'
            ) AS offered ON offered.at >= r.created_at
            WHERE r.brand_id = :brand AND {within("r.answered_at", period)}
        """),
        binds(brand_id, period),
    )
    return None if found is None else float(found)


async def _latest(session: AsyncSession, brand_id: int, period: Period) -> list[Row[Any]]:
    rows = await session.execute(
        text(f"""
            SELECT r.answered_at, r.score, r.comment, r.customer_id, c.first_name, c.last_name, c.email, c.phone
            FROM responses r JOIN customers c ON c.brand_id = r.brand_id AND c.id = r.customer_id
            WHERE r.brand_id = :brand AND {within("r.answered_at", period)} ORDER BY r.answered_at DESC, r.id DESC LIMIT {LATEST}
        """),
        binds(brand_id, period),
    )
    return list(rows)
