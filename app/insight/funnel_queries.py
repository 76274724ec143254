"""The SQL of the funnel: one query for each group of stages, and one for revenue and cost.

Each binds what `periods.binds` returns, and names the brand at every table.
"""

from app.insight.periods import Period, within

_ARRIVED = "bool_or(messages.status IN ('delivered', 'complained'))"
_ACCEPTED = "bool_or(messages.sent_at IS NOT NULL)"
_REPORTED = "bool_or(messages.status IN ('delivered', 'bounced', 'complained'))"
"""Of some messages: whether one arrived as its provider reports, whether one was handed over, and
whether the provider reports deliveries at all."""


def _cohort(period: Period) -> str:
    """The causes of surveys in the period: orders placed, and other causes by their trigger."""
    return f"""
        cohort AS (
            SELECT 'order' AS cause_kind, orders.id AS cause_id FROM orders
            WHERE orders.brand_id = :brand AND NOT orders.test AND NOT orders.history
                AND NOT orders.trial
                AND {within("orders.placed_at", period)}
            UNION ALL
            SELECT surveys.cause_kind, surveys.cause_id FROM surveys
            WHERE surveys.brand_id = :brand AND surveys.cause_kind <> 'order'
                AND {within("surveys.triggered_at", period)}
        )
    """


def _cohort_referrers(period: Period) -> str:
    """The referrers whom the cohort's responses made; without a period all referrers."""
    of_cohort = """
        JOIN surveys ON surveys.brand_id = referrers.brand_id AND surveys.id = referrers.survey_id
        JOIN cohort ON cohort.cause_kind = surveys.cause_kind AND cohort.cause_id = surveys.cause_id
    """
    return f"""
        cohort_referrers AS (
            SELECT referrers.id, referrers.customer_id
            FROM referrers {"" if period == Period() else of_cohort}
            WHERE referrers.brand_id = :brand AND (referrers.survey_id IS NULL
                OR referrers.survey_id NOT IN (SELECT id FROM surveys WHERE brand_id = :brand AND trial))
        )
    """


def orders(period: Period) -> str:
    """One number: the orders placed."""
    return f"WITH {_cohort(period)} SELECT count(*) FROM cohort WHERE cause_kind = 'order'"


def surveys(period: Period) -> str:
    """A row a channel: `surveyed arrived accepted reports_delivery answered promoters`.

    A survey that was answered arrived, whatever became of its messages.
    """
    return f"""
        WITH {_cohort(period)}, sent_surveys AS (
            SELECT surveys.id, surveys.channel, responses.score FROM cohort
            JOIN surveys ON surveys.brand_id = :brand AND surveys.cause_kind = cohort.cause_kind
                AND surveys.cause_id = cohort.cause_id AND surveys.sent_at IS NOT NULL
            LEFT JOIN responses ON responses.brand_id = surveys.brand_id
                AND responses.survey_id = surveys.id
        ), survey_results AS (
            SELECT sent_surveys.channel, sent_surveys.score, coalesce({_ARRIVED}, false) AS arrived,
                coalesce({_ACCEPTED}, false) AS accepted, coalesce({_REPORTED}, false) AS reported
            FROM sent_surveys LEFT JOIN messages ON messages.brand_id = :brand
                AND messages.template IN ('survey', 'reminder')
                AND messages.subject_id = sent_surveys.id
            GROUP BY sent_surveys.id, sent_surveys.channel, sent_surveys.score
        )
        SELECT channel, count(*) AS surveyed,
            count(*) FILTER (WHERE arrived OR score IS NOT NULL) AS arrived,
            count(*) FILTER (WHERE accepted OR score IS NOT NULL) AS accepted,
            bool_or(reported) AS reports_delivery,
            count(score) AS answered, count(*) FILTER (WHERE score >= 9) AS promoters
        FROM survey_results GROUP BY channel
    """


def offers(period: Period) -> str:
    """The number of `people` by `arrived`, `accepted` and `reported` of each channel's offers."""
    email, sms = "FILTER (WHERE messages.channel = 'email')", "FILTER (WHERE messages.channel = 'sms')"
    return f"""
        WITH {_cohort(period)}, {_cohort_referrers(period)}, offers_by_person AS (
            SELECT {_ARRIVED} {email} AS email_arrived, {_ACCEPTED} {email} AS email_accepted,
                {_REPORTED} {email} AS email_reported, {_ARRIVED} {sms} AS sms_arrived,
                {_ACCEPTED} {sms} AS sms_accepted, {_REPORTED} {sms} AS sms_reported
            FROM cohort_referrers JOIN messages ON messages.brand_id = :brand
                AND messages.customer_id = cohort_referrers.customer_id AND messages.template = 'offer'
            GROUP BY messages.customer_id
        )
        SELECT email_arrived, email_accepted, email_reported, sms_arrived, sms_accepted, sms_reported,
            count(*) AS people
        FROM offers_by_person GROUP BY 1, 2, 3, 4, 5, 6
    """


def referrals(period: Period) -> str:
    """One row: `shared friend_visits redemptions approved`."""
    return f"""
        WITH {_cohort(period)}, {_cohort_referrers(period)},
        visits_by_referrer AS (
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
            JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
                AND NOT orders.test AND NOT orders.trial
            GROUP BY redemptions.referrer_id
        )
        SELECT (SELECT count(*) FROM visits_by_referrer FULL JOIN redemptions_by_referrer
                USING (referrer_id)) AS shared,
            (SELECT coalesce(sum(visits), 0)::bigint FROM visits_by_referrer) AS friend_visits,
            (SELECT coalesce(sum(redemptions), 0)::bigint FROM redemptions_by_referrer) AS redemptions,
            (SELECT coalesce(sum(approved), 0)::bigint FROM redemptions_by_referrer) AS approved
    """


def totals(period: Period) -> str:
    """A row a currency, most revenue first: `revenue discount_cost leaked_discount reward_cost`.

    In minor units. Revenue is of redemptions that count, costs are of all.
    """
    return f"""
        WITH {_cohort(period)}, {_cohort_referrers(period)},
        friend_orders AS (
            SELECT redemptions.id AS redemption_id, redemptions.status, orders.currency,
                CASE WHEN orders.cancelled_at IS NULL THEN greatest(0, orders.total - orders.refunded)
                    ELSE 0 END AS remaining
            FROM cohort_referrers JOIN redemptions ON redemptions.brand_id = :brand
                AND redemptions.referrer_id = cohort_referrers.id
            JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
                AND NOT orders.test AND NOT orders.trial
        ),
        amounts AS (
            SELECT currency, remaining AS revenue,
                0 AS discount_cost, 0 AS leaked_discount, 0 AS reward_cost
            FROM friend_orders WHERE status IN ('pending', 'in_review', 'approved')
            UNION ALL
            SELECT entries.currency, 0,
                CASE entries.account WHEN 'discount_cost' THEN entries.amount ELSE 0 END,
                CASE entries.account WHEN 'leaked_discount' THEN entries.amount ELSE 0 END,
                CASE entries.account WHEN 'reward_cost' THEN entries.amount ELSE 0 END
            FROM friend_orders JOIN ledger_entries AS entries ON entries.brand_id = :brand
                AND entries.cause_kind = 'redemption' AND entries.cause_id = friend_orders.redemption_id
        )
        SELECT currency, sum(revenue)::bigint AS revenue, sum(discount_cost)::bigint AS discount_cost,
            sum(leaked_discount)::bigint AS leaked_discount, sum(reward_cost)::bigint AS reward_cost
        FROM amounts GROUP BY currency ORDER BY 2 DESC, 1
    """
