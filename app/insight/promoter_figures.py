"""The figures of promoters: how long they waited for their offer, and whether they ordered again.

Both count a promoter at the day of their response. Trials and responses left out do not count.
"""

from app.insight.activity_figures import IS_COUNTED
from app.insight.figure_types import EVERYTHING, UNTIL_FOREVER, Figure, Part, Slice
from app.surveys.models import COUNTS

FOLLOWED_DAYS = 90
"""An order of their own counts if it is placed within this time of the response."""
STEPS = 4
"""Groups of times between one and twice it: the longest of a group is 1.19 times the shortest."""


def _promoters(slice_: Slice) -> str:
    """Promoters' responses with their shop, and the referrer whom each made."""
    return f"""
        SELECT responses.id, responses.customer_id, responses.survey_id, responses.answered_at,
            responses.created_at, surveys.shop_id, {slice_.day("responses.answered_at")} AS day,
            referrers.id AS referrer_id
        FROM responses
        JOIN surveys ON surveys.brand_id = :brand AND surveys.id = responses.survey_id
        LEFT JOIN referrers ON referrers.brand_id = :brand
            AND referrers.customer_id = responses.customer_id
            AND referrers.survey_id = responses.survey_id
        WHERE responses.brand_id = :brand AND {COUNTS.format("responses")} AND responses.score >= 9
            AND {slice_.within("responses.answered_at")}
    """


_HELD_OUT = """EXISTS (
    SELECT FROM withheld_offers AS withheld WHERE withheld.brand_id = :brand
        AND withheld.customer_id = {0}.customer_id AND withheld.survey_id = {0}.survey_id
        AND withheld.reason = 'held_out')"""
_MADE_REFERRER = """EXISTS (
    SELECT FROM referrers WHERE referrers.brand_id = :brand
        AND referrers.customer_id = {0}.customer_id AND referrers.survey_id = {0}.survey_id)"""


def _ordered_again(_: Slice) -> str:
    """A person counts at their first response that led to an offer, or to being held out."""
    return f"""
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, {EVERYTHING} AS key,
            count(*) FILTER (WHERE is_offered) AS offered,
            count(*) FILTER (WHERE is_offered AND has_ordered) AS offered_ordered,
            count(*) FILTER (WHERE NOT is_offered) AS held_out,
            count(*) FILTER (WHERE NOT is_offered AND has_ordered) AS held_out_ordered,
            coalesce(sum(friends_orders), 0)::bigint AS friends_orders
        FROM (
            SELECT promoters.shop_id, promoters.day, promoters.referrer_id IS NOT NULL AS is_offered,
                EXISTS (
                    SELECT FROM orders
                    WHERE orders.brand_id = :brand AND orders.customer_id = promoters.customer_id
                        AND orders.placed_at > promoters.answered_at
                        AND orders.placed_at <= promoters.answered_at + interval '{FOLLOWED_DAYS} days'
                        AND NOT orders.test AND NOT orders.trial AND NOT orders.history
                        AND orders.cancelled_at IS NULL
                ) AS has_ordered,
                (
                    SELECT count(*) FROM redemptions
                    WHERE redemptions.brand_id = :brand
                        AND redemptions.referrer_id = promoters.referrer_id AND {IS_COUNTED}
                ) AS friends_orders
            FROM promoters
            WHERE (promoters.referrer_id IS NOT NULL OR {_HELD_OUT.format("promoters")})
                AND NOT EXISTS (
                    SELECT FROM responses AS earlier WHERE earlier.brand_id = :brand
                        AND earlier.customer_id = promoters.customer_id
                        AND {COUNTS.format("earlier")} AND earlier.score >= 9
                        AND (earlier.answered_at, earlier.id) < (promoters.answered_at, promoters.id)
                        AND ({_MADE_REFERRER.format("earlier")} OR {_HELD_OUT.format("earlier")})
                )
        ) AS followed GROUP BY 1, 2, 3, 4
    """


def _offer_times(_: Slice) -> str:
    """The first offer that a provider accepted after the response, by the database's own time."""
    columns = ", ".join(
        f"""count(*) FILTER (WHERE place % {STEPS} = {step}) AS offers_{step},
            coalesce(sum(milliseconds) FILTER (WHERE place % {STEPS} = {step}), 0)::bigint
                AS milliseconds_{step}"""
        for step in range(STEPS)
    )
    return f"""
        WITH times AS (
            SELECT promoters.shop_id, promoters.day,
                round(extract(epoch FROM first_offer.at - promoters.created_at) * 1000)::bigint
                    AS milliseconds
            FROM promoters JOIN LATERAL (
                SELECT min(attempts.created_at) AS at FROM messages
                JOIN attempts ON attempts.brand_id = :brand
                    AND attempts.message_id = messages.id AND attempts.status = 'accepted'
                WHERE messages.brand_id = :brand
                    AND messages.customer_id = promoters.customer_id AND messages.template = 'offer'
            ) AS first_offer ON first_offer.at >= promoters.created_at
            WHERE promoters.referrer_id IS NOT NULL
        ), placed AS (
            SELECT *, floor({STEPS} * ln(greatest(milliseconds, 1)::float8) / ln(2::float8))::int AS place
            FROM times
        )
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, (place / {STEPS})::text AS key, {columns}
        FROM placed GROUP BY 1, 2, 3, 4
    """


_PROMOTERS = (Part("promoters", _promoters),)
LIFT = Figure(
    "orders of promoters",
    ("offered", "offered_ordered", "held_out", "held_out_ordered", "friends_orders"),
    _ordered_again,
    _PROMOTERS,
)
"""Promoters with an offer and those held out, and how many of each ordered again themselves."""
OFFER_TIMES = Figure(
    "offer times",
    (*(f"offers_{step}" for step in range(STEPS)), *(f"milliseconds_{step}" for step in range(STEPS))),
    _offer_times,
    _PROMOTERS,
)
"""Offers by the time from the response: the key is the whole logarithm to base 2 of the
milliseconds. Of each of `STEPS` groups between one power of 2 and the next: how many, and the sum
of their times."""
FIGURES = (LIFT, OFFER_TIMES)
