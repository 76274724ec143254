"""The figures of the funnel: how far the orders placed came, each counted at its order's day.

A survey about another cause counts at the day of its trigger.
"""

from app.insight.activity_figures import IS_COST, MONEY, REMAINING, SHARES, SUMS
from app.insight.figure_types import EVERYTHING, UNTIL_FOREVER, Figure, Part, Slice
from app.insight.roll_rules import NO_DAY

_ARRIVED = "bool_or(messages.status IN ('delivered', 'complained'))"
_ACCEPTED = "bool_or(messages.sent_at IS NOT NULL)"
_REPORTED = "bool_or(messages.status IN ('delivered', 'bounced', 'complained'))"
"""Of some messages: whether one arrived as its provider reports, whether one was handed over, and
whether the provider reports deliveries at all."""
OFFER_STATES = ("arrived", "accepted", "reported")
OFFER_CHANNELS = ("email", "sms")


def _cohort(slice_: Slice) -> str:
    """The causes of surveys in the slice: orders placed, and other causes by their trigger."""
    return f"""
        SELECT 'order' AS cause_kind, orders.id AS cause_id, orders.shop_id,
            {slice_.day("orders.placed_at")} AS day
        FROM orders
        WHERE orders.brand_id = :brand AND NOT orders.test AND NOT orders.history
            AND NOT orders.trial AND {slice_.within("orders.placed_at")}
        UNION ALL
        SELECT surveys.cause_kind, surveys.cause_id, surveys.shop_id,
            {slice_.day("surveys.triggered_at")}
        FROM surveys
        WHERE surveys.brand_id = :brand AND surveys.cause_kind <> 'order'
            AND {slice_.within("surveys.triggered_at")}
    """


def _cohort_surveys(_: Slice) -> str:
    """The surveys of the cohort, those of trials and those not sent too."""
    return """
        SELECT surveys.id, surveys.channel, surveys.sent_at, surveys.trial, cohort.shop_id, cohort.day
        FROM cohort JOIN surveys ON surveys.brand_id = :brand AND surveys.cause_kind = cohort.cause_kind
            AND surveys.cause_id = cohort.cause_id
    """


def _cohort_referrers(slice_: Slice) -> str:
    """The referrers whom the cohort's responses made, perhaps with those who came by none."""
    no_day = f"DATE '{NO_DAY}'" if slice_.by_day else "NULL::date"
    unsurveyed = f"""
        UNION ALL
        SELECT referrers.id, referrers.customer_id, referrers.shop_id, {no_day} FROM referrers
        WHERE referrers.brand_id = :brand AND referrers.survey_id IS NULL
    """
    return f"""
        SELECT referrers.id, referrers.customer_id, surveys.shop_id, surveys.day
        FROM cohort_surveys AS surveys
        JOIN referrers ON referrers.brand_id = :brand AND referrers.survey_id = surveys.id
        WHERE NOT surveys.trial
        {unsurveyed if slice_.with_unsurveyed else ""}
    """


def _orders(_: Slice) -> str:
    return f"""
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, {EVERYTHING} AS key, count(*) AS orders
        FROM cohort WHERE cause_kind = 'order' GROUP BY 1, 2, 3, 4
    """


def _surveys(_: Slice) -> str:
    return f"""
        WITH sent_surveys AS (
            SELECT surveys.id, surveys.channel, surveys.shop_id, surveys.day, responses.score
            FROM cohort_surveys AS surveys
            LEFT JOIN responses ON responses.brand_id = :brand AND responses.survey_id = surveys.id
            WHERE surveys.sent_at IS NOT NULL
        ), survey_results AS (
            SELECT sent_surveys.shop_id, sent_surveys.day, sent_surveys.channel, sent_surveys.score,
                coalesce({_ARRIVED}, false) AS arrived, coalesce({_ACCEPTED}, false) AS accepted,
                coalesce({_REPORTED}, false) AS reported
            FROM sent_surveys LEFT JOIN messages ON messages.brand_id = :brand
                AND messages.template IN ('survey', 'reminder')
                AND messages.subject_id = sent_surveys.id
            GROUP BY sent_surveys.id, 1, 2, 3, 4
        )
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, coalesce(channel, '') AS key,
            count(*) AS surveyed,
            count(*) FILTER (WHERE arrived OR score IS NOT NULL) AS arrived,
            count(*) FILTER (WHERE accepted OR score IS NOT NULL) AS accepted,
            count(*) FILTER (WHERE reported) AS reported,
            count(score) AS responses, count(*) FILTER (WHERE score >= 9) AS promoters
        FROM survey_results GROUP BY 1, 2, 3, 4
    """


def _offers(_: Slice) -> str:
    """The key has a letter for each state of each channel: `t`, `f`, or `-` for no offer there."""
    letters = ", ".join(
        f"coalesce(left(({aggregate} FILTER (WHERE messages.channel = '{channel}'))::text, 1), '-')"
        for channel in OFFER_CHANNELS
        for aggregate in (_ARRIVED, _ACCEPTED, _REPORTED)
    )
    return f"""
        WITH offers_by_person AS (
            SELECT cohort_referrers.shop_id, cohort_referrers.day, concat({letters}) AS states
            FROM cohort_referrers JOIN messages ON messages.brand_id = :brand
                AND messages.customer_id = cohort_referrers.customer_id AND messages.template = 'offer'
            GROUP BY messages.customer_id, 1, 2
        )
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, states AS key, count(*) AS people
        FROM offers_by_person GROUP BY 1, 2, 3, 4
    """


def _referrals(_: Slice) -> str:
    return f"""
        WITH visits_by_referrer AS (
            SELECT referrer_id, sum(visits) AS visits FROM (
                SELECT visits.referrer_id, count(*) AS visits FROM cohort_referrers
                JOIN visits ON visits.brand_id = :brand AND visits.referrer_id = cohort_referrers.id
                GROUP BY visits.referrer_id
                UNION ALL
                SELECT visit_counts.referrer_id, visit_counts.visits FROM cohort_referrers
                JOIN visit_counts ON visit_counts.brand_id = :brand
                    AND visit_counts.referrer_id = cohort_referrers.id
            ) AS kept_and_counted GROUP BY referrer_id
        ),
        redemptions_by_referrer AS (
            SELECT redemptions.referrer_id,
                count(*) FILTER (WHERE redemptions.status <> 'refused') AS redemptions,
                count(*) FILTER (WHERE redemptions.status = 'approved') AS approved
            FROM cohort_referrers JOIN redemptions ON redemptions.brand_id = :brand
                AND redemptions.referrer_id = cohort_referrers.id
            JOIN orders ON orders.brand_id = :brand AND orders.id = redemptions.order_id
                AND NOT orders.test AND NOT orders.trial
            GROUP BY redemptions.referrer_id
        )
        SELECT cohort_referrers.shop_id, cohort_referrers.day, {UNTIL_FOREVER} AS until,
            {EVERYTHING} AS key, count(*) AS shared,
            coalesce(sum(visits_by_referrer.visits), 0)::bigint AS friend_visits,
            coalesce(sum(redemptions_by_referrer.redemptions), 0)::bigint AS redemptions,
            coalesce(sum(redemptions_by_referrer.approved), 0)::bigint AS approved
        FROM cohort_referrers
        LEFT JOIN visits_by_referrer ON visits_by_referrer.referrer_id = cohort_referrers.id
        LEFT JOIN redemptions_by_referrer ON redemptions_by_referrer.referrer_id = cohort_referrers.id
        WHERE visits_by_referrer.referrer_id IS NOT NULL OR redemptions_by_referrer.referrer_id IS NOT NULL
        GROUP BY 1, 2, 3, 4
    """


def _money(_: Slice) -> str:
    """Revenue is of redemptions that count, costs are of all; in minor units."""
    return f"""
        WITH friend_orders AS (
            SELECT cohort_referrers.shop_id, cohort_referrers.day, redemptions.id AS redemption_id,
                redemptions.status, orders.currency, {REMAINING} AS remaining
            FROM cohort_referrers JOIN redemptions ON redemptions.brand_id = :brand
                AND redemptions.referrer_id = cohort_referrers.id
            JOIN orders ON orders.brand_id = :brand AND orders.id = redemptions.order_id
                AND NOT orders.test AND NOT orders.trial
        ),
        amounts AS (
            SELECT shop_id, day, currency, remaining AS revenue,
                0 AS discount_cost, 0 AS leaked_discount, 0 AS reward_cost
            FROM friend_orders WHERE status IN ('pending', 'in_review', 'approved')
            UNION ALL
            SELECT shop_id, day, entries.currency, 0, {SHARES}
            FROM friend_orders JOIN ledger_entries AS entries ON entries.brand_id = :brand
                AND entries.cause_id = friend_orders.redemption_id
                AND entries.cause_kind = 'redemption' AND {IS_COST}
        )
        SELECT shop_id, day, {UNTIL_FOREVER} AS until, currency AS key, {SUMS}
        FROM amounts GROUP BY 1, 2, 3, 4
    """


_COHORT = Part("cohort", _cohort)
_SURVEYS = (_COHORT, Part("cohort_surveys", _cohort_surveys))
_REFERRERS = (*_SURVEYS, Part("cohort_referrers", _cohort_referrers))
ORDERS = Figure("orders", ("orders",), _orders, (_COHORT,))
SURVEYS = Figure(
    "surveys of orders",
    ("surveyed", "arrived", "accepted", "reported", "responses", "promoters"),
    _surveys,
    _SURVEYS,
)
"""By channel."""
OFFERS = Figure("offers of orders", ("people",), _offers, _REFERRERS)
"""People by how far their offers came on each channel: see `offer_states`."""
REFERRALS = Figure(
    "referrals of orders", ("shared", "friend_visits", "redemptions", "approved"), _referrals, _REFERRERS
)
FUNNEL_MONEY = Figure("money of orders", MONEY, _money, _REFERRERS)
"""By currency."""
FIGURES = (ORDERS, SURVEYS, OFFERS, REFERRALS, FUNNEL_MONEY)


def offer_states(key: str) -> dict[str, dict[str, bool | None]]:
    """What a key of `OFFERS` states of each channel; None where there was no offer."""
    letters = iter(key)
    values = {"t": True, "f": False, "-": None}
    return {channel: {state: values[next(letters)] for state in OFFER_STATES} for channel in OFFER_CHANNELS}
