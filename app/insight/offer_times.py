"""How long promoters wait for their offer."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.insight.periods import Period, binds, within

MOST = 1_000
"""Of more promoters than these the latest are timed."""


@dataclass(frozen=True, slots=True)
class OfferTimes:
    """Seconds from the answer until a provider accepted the offer, of `offers` people."""

    offers: int
    p50: float | None
    p95: float | None
    p99: float | None


async def offer_times(
    session: AsyncSession, brand_id: int, period: Period, shop_id: UUID | None = None
) -> OfferTimes:
    """The times of the period's promoters, the latest `MOST` of them; None where there is none.

    With a shop those of them who were surveyed by it. Both moments are those of the rows, which
    have the database's own time: of the response, and of the attempt that carried the first offer
    after it.
    """
    found = await session.execute(
        text(f"""
            WITH promoters AS (
                SELECT created_at, customer_id, survey_id FROM responses
                WHERE brand_id = :brand AND NOT trial AND score >= 9
                    AND {within("answered_at", period)}
                ORDER BY answered_at DESC, id DESC LIMIT {MOST}
            ), times AS (
                SELECT extract(epoch FROM first_offer.at - promoters.created_at)::float8 AS seconds
                FROM promoters JOIN referrers ON referrers.brand_id = :brand
                    AND referrers.customer_id = promoters.customer_id
                    AND referrers.survey_id = promoters.survey_id
                JOIN surveys ON surveys.brand_id = :brand AND surveys.id = promoters.survey_id
                    AND {"true" if shop_id is None else "surveys.shop_id = :shop"}
                JOIN LATERAL (
                    SELECT min(attempts.created_at) AS at FROM messages
                    JOIN attempts ON attempts.brand_id = :brand
                        AND attempts.message_id = messages.id AND attempts.status = 'accepted'
                    WHERE messages.brand_id = :brand
                        AND messages.customer_id = promoters.customer_id
                        AND messages.template = 'offer'
                ) AS first_offer ON first_offer.at >= promoters.created_at
            )
            SELECT count(*) AS offers,
                percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY seconds) AS seconds
            FROM times
        """),
        {**binds(brand_id, period), "shop": shop_id},
    )
    row = found.one()
    p50, p95, p99 = row.seconds or (None, None, None)
    return OfferTimes(row.offers, p50, p95, p99)
