"""What friends' orders brought, by what their referrers had answered before."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.insight.periods import Period, binds, id_binds, within
from app.surveys.models import COUNTS

MOST = 2_000
"""Of more friends' orders than these the latest are counted."""


@dataclass(frozen=True, slots=True)
class BandRevenue:
    """Friends' orders of the referrers of one band, in one currency; minor units."""

    band: str | None
    """None for referrers who had not answered, such as imported ones."""
    currency: str
    referrers: int
    orders: int
    revenue: int
    """What is left of the orders after refunds and cancellations."""


async def band_revenue(
    session: AsyncSession, brand_id: int, period: Period, shop_id: UUID | None = None
) -> list[BandRevenue]:
    """By band and currency, most revenue first; one query, of the latest `MOST` orders.

    With a shop those of them that were placed there.

    An order counts by when it was placed, its referrer by their latest answer until then. Orders
    whose code does not count, test orders and trials are left out.
    """
    # Nothing is recorded before it was placed; the fence keeps the friends' orders in front, which
    # are few among all orders.
    recorded = "AND redemptions.id >= :first" if period.start else ""
    first = {name: each for name, each in id_binds(period).items() if name == "first"}
    rows = await session.execute(
        text(f"""
            WITH counted AS (
                SELECT redemptions.referrer_id, placed.currency, placed.placed_at, placed.shop_id,
                    placed.revenue
                FROM redemptions CROSS JOIN LATERAL (
                    SELECT orders.currency, orders.placed_at, orders.shop_id,
                        CASE WHEN orders.cancelled_at IS NULL
                            THEN greatest(0, orders.total - orders.refunded) ELSE 0 END AS revenue
                    FROM orders WHERE orders.brand_id = :brand AND orders.id = redemptions.order_id
                        AND NOT orders.test AND NOT orders.trial AND {within("orders.placed_at", period)}
                    OFFSET 0
                ) AS placed
                WHERE redemptions.brand_id = :brand
                    AND redemptions.status IN ('pending', 'in_review', 'approved') {recorded}
                ORDER BY redemptions.id DESC LIMIT {MOST}
            )
            SELECT CASE WHEN latest.score >= 9 THEN 'promoter' WHEN latest.score >= 7 THEN 'passive'
                    WHEN latest.score IS NOT NULL THEN 'detractor' END AS band,
                counted.currency, count(DISTINCT referrers.id) AS referrers, count(*) AS orders,
                sum(counted.revenue)::bigint AS revenue
            FROM counted JOIN referrers ON referrers.brand_id = :brand
                AND referrers.id = counted.referrer_id
            LEFT JOIN LATERAL (
                SELECT responses.score FROM responses
                WHERE responses.brand_id = :brand AND responses.customer_id = referrers.customer_id
                    AND {COUNTS.format("responses")} AND responses.answered_at <= counted.placed_at
                ORDER BY responses.answered_at DESC, responses.id DESC LIMIT 1
            ) AS latest ON true
            WHERE {"true" if shop_id is None else "counted.shop_id = :shop"}
            GROUP BY 1, 2 ORDER BY 5 DESC, 1, 2
        """),
        {**binds(brand_id, period), **first, "shop": shop_id},
    )
    return [BandRevenue(**row) for row in rows.mappings()]
