"""What happened in a period: offers, friends' orders, revenue and cost, each by its own time.

The funnel follows the orders of a period instead, whenever the rest of their path was.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.find import load_shops
from app.insight.funnel import CurrencyTotals
from app.insight.periods import Period, binds, id_binds, id_within, within


@dataclass(frozen=True, slots=True)
class Activity:
    """The events of a period; test orders and trials are left out."""

    offers: int
    """People whose offer arrived; where no provider reports deliveries, was accepted."""
    offers_confirmed: bool
    """Whether every channel's provider reports deliveries."""
    redemptions: int
    """Friends' orders placed in the period whose code was not refused."""
    approved: int
    """Redemptions approved in the period that still count."""
    totals: list[CurrencyTotals]
    """Revenue of the friends' orders placed, costs posted for the period; the currency with the
    most revenue first, never empty."""


async def activity(session: AsyncSession, brand_id: int, period: Period) -> Activity:
    """Count the events of the period; three queries."""
    values = binds(brand_id, period)
    offers = (await session.execute(text(_offers(period)), {**values, **id_binds(period)})).one()
    redemptions = (await session.execute(text(_redemptions(period)), values)).one()
    rows = await session.execute(text(_totals(period)), values)
    totals = [CurrencyTotals(**row) for row in rows.mappings()]
    if not totals:
        shops = await load_shops(session, brand_id)
        totals = [CurrencyTotals(next((shop.currency for shop in shops.values()), "EUR"))]
    return Activity(offers.people, offers.confirmed, redemptions.redemptions, redemptions.approved, totals)


def _offers(period: Period) -> str:
    """By the time the message's row was created, as responses are dated by the same clock."""
    return f"""
        WITH offers AS (
            SELECT customer_id, channel, status, sent_at FROM messages
            WHERE brand_id = :brand AND template = 'offer'
                AND {within("created_at", period)} AND {id_within("id", period)}
                AND NOT trial
        ), channels AS (
            SELECT channel, bool_or(status IN ('delivered', 'bounced', 'complained')) AS reports
            FROM offers GROUP BY channel
        )
        SELECT count(DISTINCT customer_id) FILTER (WHERE CASE WHEN reports
                THEN status IN ('delivered', 'complained') ELSE sent_at IS NOT NULL END) AS people,
            coalesce(bool_and(reports), false) AS confirmed
        FROM offers JOIN channels USING (channel)
    """


def _redemptions(period: Period) -> str:
    placed, approved = within("orders.placed_at", period), within("redemptions.approved_at", period)
    return f"""
        SELECT count(*) FILTER (WHERE redemptions.status <> 'refused' AND {placed}) AS redemptions,
            count(*) FILTER (WHERE redemptions.status = 'approved' AND {approved}) AS approved
        FROM redemptions JOIN orders ON orders.brand_id = redemptions.brand_id
            AND orders.id = redemptions.order_id AND NOT orders.test AND NOT orders.trial
        WHERE redemptions.brand_id = :brand
    """


def _totals(period: Period) -> str:
    """A row a currency: what is left of friends' orders, and the ledger's costs."""
    return f"""
        WITH amounts AS (
            SELECT orders.currency, CASE WHEN orders.cancelled_at IS NULL
                THEN greatest(0, orders.total - orders.refunded) ELSE 0 END AS revenue,
                0 AS discount_cost, 0 AS leaked_discount, 0 AS reward_cost
            FROM redemptions JOIN orders ON orders.brand_id = redemptions.brand_id
                AND orders.id = redemptions.order_id AND NOT orders.test AND NOT orders.trial
            WHERE redemptions.brand_id = :brand AND {within("orders.placed_at", period)}
                AND redemptions.status IN ('pending', 'in_review', 'approved')
            UNION ALL
            SELECT entries.currency, 0,
                CASE entries.account WHEN 'discount_cost' THEN entries.amount ELSE 0 END,
                CASE entries.account WHEN 'leaked_discount' THEN entries.amount ELSE 0 END,
                CASE entries.account WHEN 'reward_cost' THEN entries.amount ELSE 0 END
            FROM ledger_entries AS entries
            LEFT JOIN redemptions ON redemptions.brand_id = entries.brand_id
                AND entries.cause_kind = 'redemption' AND redemptions.id = entries.cause_id
            LEFT JOIN orders ON orders.brand_id = redemptions.brand_id
                AND orders.id = redemptions.order_id
            WHERE entries.brand_id = :brand AND orders.test IS NOT TRUE AND orders.trial IS NOT TRUE
                AND entries.account IN ('discount_cost', 'leaked_discount', 'reward_cost')
                AND {within("entries.occurred_at", period)}
        )
        SELECT currency, sum(revenue)::bigint AS revenue, sum(discount_cost)::bigint AS discount_cost,
            sum(leaked_discount)::bigint AS leaked_discount, sum(reward_cost)::bigint AS reward_cost
        FROM amounts GROUP BY currency ORDER BY 2 DESC, 1
    """
