"""Holdout lift: promoters who were given an offer beside those who were held out by chance."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.insight.periods import Period, binds, within
from app.insight.shares import Share
from app.surveys.models import COUNTS

FOLLOWED = timedelta(days=90)
"""An order of their own counts if it is placed within this time of the answer."""
MOST = 2_000
"""Of more promoters than these the latest are compared."""
_COUNTS = COUNTS.format("responses")


@dataclass(frozen=True, slots=True)
class Lift:
    """Both groups are of the same time, so their orders were followed alike."""

    offered: Share
    """Promoters with an offer, and how many of them ordered again themselves."""
    held_out: Share
    friends_orders: int
    """Orders that the friends of those with an offer placed; the others have no code to share."""


async def holdout_lift(
    session: AsyncSession, brand_id: int, period: Period, shop_id: UUID | None = None
) -> Lift:
    """Compare the promoters of the period; one query, of the latest `MOST` of them.

    With a shop those of them who were surveyed by it.

    A person counts by their first answer in it that led to an offer, or to being held out. Test
    orders, trials, imported history and cancelled orders are left out.
    """
    row = (
        await session.execute(
            text(_compared(period, of_one_shop=shop_id is not None)),
            {**binds(brand_id, period), "followed": FOLLOWED, "shop": shop_id},
        )
    ).one()
    return Lift(
        Share(row.offered_ordered, row.offered), Share(row.held_out_ordered, row.held_out), row.friends_orders
    )


def _compared(period: Period, *, of_one_shop: bool) -> str:
    """One row of both groups' sizes and of those who ordered."""
    answered = within("responses.answered_at", period)
    of_promoters = f"responses.brand_id = :brand AND {_COUNTS} AND score >= 9 AND {answered}"
    of_shop = "surveys.shop_id = :shop" if of_one_shop else "true"
    return f"""
        WITH latest AS (
            SELECT id, customer_id, survey_id, answered_at FROM responses
            WHERE {of_promoters} ORDER BY answered_at DESC, id DESC LIMIT {MOST}
        ), people AS (
            SELECT DISTINCT ON (latest.customer_id) latest.customer_id, latest.answered_at,
                referrers.id AS referrer_id
            FROM latest JOIN surveys ON surveys.brand_id = :brand AND surveys.id = latest.survey_id
            LEFT JOIN referrers ON referrers.brand_id = :brand
                AND referrers.customer_id = latest.customer_id
                AND referrers.survey_id = latest.survey_id
            LEFT JOIN withheld_offers AS withheld ON withheld.brand_id = :brand
                AND withheld.customer_id = latest.customer_id
                AND withheld.survey_id = latest.survey_id AND withheld.reason = 'held_out'
            WHERE (referrers.id IS NOT NULL OR withheld.id IS NOT NULL)
                AND {of_shop}
            ORDER BY latest.customer_id, latest.answered_at, latest.id
        ), followed AS (
            SELECT people.referrer_id IS NOT NULL AS is_offered,
                EXISTS (
                    SELECT FROM orders
                    WHERE orders.brand_id = :brand AND orders.customer_id = people.customer_id
                        AND orders.placed_at > people.answered_at
                        AND orders.placed_at <= people.answered_at + CAST(:followed AS interval)
                        AND NOT orders.test AND NOT orders.trial AND NOT orders.history
                        AND orders.cancelled_at IS NULL
                ) AS ordered,
                (
                    SELECT count(*) FROM redemptions
                    WHERE redemptions.brand_id = :brand AND redemptions.referrer_id = people.referrer_id
                        AND redemptions.status IN ('pending', 'in_review', 'approved')
                ) AS friends_orders
            FROM people
        )
        SELECT count(*) FILTER (WHERE is_offered) AS offered,
            count(*) FILTER (WHERE is_offered AND ordered) AS offered_ordered,
            count(*) FILTER (WHERE NOT is_offered) AS held_out,
            count(*) FILTER (WHERE NOT is_offered AND ordered) AS held_out_ordered,
            coalesce(sum(friends_orders), 0)::bigint AS friends_orders
        FROM followed
    """
