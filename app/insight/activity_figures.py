"""The figures of events, each by its own time: friends' orders, revenue and cost."""

from app.insight.figure_types import EVERYTHING, UNTIL_FOREVER, Figure, Part, Slice

REMAINING = """CASE WHEN orders.cancelled_at IS NULL
    THEN greatest(0, orders.total - orders.refunded) ELSE 0 END"""
"""SQL: what is left of an order after refunds."""
COSTS = ("discount_cost", "leaked_discount", "reward_cost")
"""The ledger's accounts of cost."""
SHARES = ", ".join(
    f"CASE entries.account WHEN '{account}' THEN entries.amount ELSE 0 END AS {account}" for account in COSTS
)
"""SQL: an entry's amount as a column for each account."""
MONEY = ("revenue", *COSTS)
SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in MONEY)
IS_COST = "entries.account IN ('discount_cost', 'leaked_discount', 'reward_cost')"
_NO_SHOP = "'00000000-0000-0000-0000-000000000000'::uuid"
"""The shop of a cost that no order and no referrer's shop is known for."""
IS_REAL = "NOT orders.test AND NOT orders.trial"
IS_COUNTED = "redemptions.status IN ('pending', 'in_review', 'approved')"
"""SQL: whether a redemption counts or may still count."""


def _friends_orders(slice_: Slice) -> str:
    """Orders placed in the slice with their redemption, refused ones too."""
    return f"""
        SELECT orders.id, orders.shop_id, {slice_.day("orders.placed_at")} AS day, orders.currency,
            orders.placed_at, {REMAINING} AS remaining, redemptions.status, redemptions.referrer_id
        FROM orders JOIN redemptions ON redemptions.brand_id = :brand
            AND redemptions.order_id = orders.id
        WHERE orders.brand_id = :brand AND {IS_REAL} AND {slice_.within("orders.placed_at")}
    """


FRIENDS_ORDERS = Part("friends_orders", _friends_orders)


def _redemptions(_: Slice) -> str:
    return f"""
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, {EVERYTHING} AS key, count(*) AS redemptions
        FROM friends_orders WHERE status <> 'refused' GROUP BY 1, 2, 3, 4
    """


def _approved(slice_: Slice) -> str:
    return f"""
        SELECT orders.shop_id, {slice_.day("redemptions.approved_at")} AS day, {UNTIL_FOREVER} AS until,
            {EVERYTHING} AS key, count(*) AS approved
        FROM redemptions JOIN orders ON orders.brand_id = :brand AND orders.id = redemptions.order_id
            AND {IS_REAL}
        WHERE redemptions.brand_id = :brand AND redemptions.status = 'approved'
            AND redemptions.approved_at IS NOT NULL AND {slice_.within("redemptions.approved_at")}
        GROUP BY 1, 2, 3, 4
    """


def _money(slice_: Slice) -> str:
    return f"""
        WITH amounts AS (
            SELECT redemptions.shop_id, redemptions.day, redemptions.currency,
                redemptions.remaining AS revenue, 0 AS discount_cost, 0 AS leaked_discount, 0 AS reward_cost
            FROM friends_orders AS redemptions WHERE {IS_COUNTED}
            UNION ALL
            SELECT coalesce(orders.shop_id, referrers.shop_id, {_NO_SHOP}),
                {slice_.day("entries.occurred_at")}, entries.currency, 0, {SHARES}
            FROM ledger_entries AS entries
            LEFT JOIN redemptions ON redemptions.brand_id = :brand
                AND entries.cause_kind = 'redemption' AND redemptions.id = entries.cause_id
            LEFT JOIN orders ON orders.brand_id = :brand AND orders.id = redemptions.order_id
            LEFT JOIN referrers ON referrers.brand_id = :brand AND referrers.id = entries.referrer_id
            WHERE entries.brand_id = :brand AND orders.test IS NOT TRUE AND orders.trial IS NOT TRUE
                AND {IS_COST} AND {slice_.within("entries.occurred_at")}
        )
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, currency AS key, {SUMS}
        FROM amounts GROUP BY 1, 2, 3, 4
    """


REDEMPTIONS = Figure("redemptions", ("redemptions",), _redemptions, (FRIENDS_ORDERS,))
"""Friends' orders by the time they were placed, whose code was not refused."""
APPROVED = Figure("approved", ("approved",), _approved)
"""Redemptions by the time they were approved, those that still count."""
EVENTS_MONEY = Figure("money of events", MONEY, _money, (FRIENDS_ORDERS,))
"""By currency: revenue of friends' orders placed, costs posted."""
FIGURES = (REDEMPTIONS, APPROVED, EVENTS_MONEY)
