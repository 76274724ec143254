"""The figures of friends' orders by the band of their referrers, each order at its own day."""

from app.insight.activity_figures import FRIENDS_ORDERS, IS_COUNTED, IS_REAL, REMAINING
from app.insight.figure_types import UNTIL_FOREVER, Figure, Part, Slice
from app.surveys.models import COUNTS

_KEY = "banded.band || ':' || banded.currency"


def with_band(friends_orders: str) -> str:
    """The SQL of friends' orders with `band`, that of their referrer's latest response until then.

    It is empty where there was none. The orders need `referrer_id` and `placed_at`; it binds
    `brand`.
    """
    return f"""
        SELECT placed.*, CASE WHEN latest.score >= 9 THEN 'promoter' WHEN latest.score >= 7 THEN 'passive'
            WHEN latest.score IS NOT NULL THEN 'detractor' ELSE '' END AS band
        FROM ({friends_orders}) AS placed
        JOIN referrers ON referrers.brand_id = :brand AND referrers.id = placed.referrer_id
        LEFT JOIN LATERAL (
            SELECT responses.score FROM responses
            WHERE responses.brand_id = :brand AND responses.customer_id = referrers.customer_id
                AND {COUNTS.format("responses")} AND responses.answered_at <= placed.placed_at
            ORDER BY responses.answered_at DESC, responses.id DESC LIMIT 1
        ) AS latest ON true
    """


_OF_SLICE = f"""
    SELECT redemptions.* FROM friends_orders AS redemptions WHERE {IS_COUNTED}
"""
_OF_SAME_REFERRERS = f"""
    SELECT orders.id, orders.shop_id, orders.currency, orders.placed_at, redemptions.referrer_id,
        {REMAINING} AS remaining
    FROM redemptions JOIN orders ON orders.brand_id = :brand AND orders.id = redemptions.order_id
        AND {IS_REAL}
    WHERE redemptions.brand_id = :brand AND {IS_COUNTED}
        AND redemptions.referrer_id IN (SELECT referrer_id FROM friends_orders)
"""


def _banded(slice_: Slice) -> str:
    """Friends' orders that count, with `next_at`, the time of their referrer's next one.

    It is the next one in the same band and currency: by day any later one, otherwise the next one
    in the period itself.
    """
    orders = with_band(_OF_SAME_REFERRERS if slice_.by_day else _OF_SLICE)
    return f"""
        SELECT banded.shop_id, {slice_.day("banded.placed_at")} AS day, banded.band, banded.currency,
            banded.remaining, banded.next_at
        FROM (
            SELECT orders.shop_id, orders.band, orders.currency, orders.placed_at, orders.remaining,
                lead(orders.placed_at) OVER (PARTITION BY orders.referrer_id, orders.band, orders.currency
                    ORDER BY orders.placed_at, orders.id) AS next_at
            FROM ({orders}) AS orders
        ) AS banded
        WHERE {slice_.within("banded.placed_at")}
    """


def _revenue(_: Slice) -> str:
    return f"""
        SELECT banded.shop_id, banded.day, {UNTIL_FOREVER} AS until, {_KEY} AS key,
            count(*) AS orders, sum(banded.remaining)::bigint AS revenue
        FROM banded GROUP BY 1, 2, 3, 4
    """


def _referrers(slice_: Slice) -> str:
    until = f"coalesce({slice_.day('banded.next_at')}, {UNTIL_FOREVER})" if slice_.by_day else UNTIL_FOREVER
    return f"""
        SELECT banded.shop_id, banded.day, {until} AS until, {_KEY} AS key, count(*) AS referrers
        FROM banded {"" if slice_.by_day else "WHERE banded.next_at IS NULL"} GROUP BY 1, 2, 3, 4
    """


_PARTS = (FRIENDS_ORDERS, Part("banded", _banded))
BAND_REVENUE = Figure("revenue by band", ("orders", "revenue"), _revenue, _PARTS)
"""Friends' orders and what is left of them, in minor units; the key is `promoter:EUR`."""
BAND_REFERRERS = Figure("referrers by band", ("referrers",), _referrers, _PARTS)
"""Their referrers, each at their latest such order of a period, under the same keys."""
FIGURES = (BAND_REVENUE, BAND_REFERRERS)
