"""The invariants of shops, orders, surveys, messages and deliveries that one query each can check.

No query compares a time of a simulated run with one of the wall clock.
"""

from app.insight.invariant_types import IS_REFUNDED, Invariant

_GONE_OUT = "('accepted', 'delivered', 'bounced', 'complained')"
_FOLDED_STATUS = f"""
    CASE WHEN orders.cancelled_at IS NOT NULL THEN 'cancelled'
         WHEN {IS_REFUNDED} THEN 'refunded'
         WHEN orders.delivered_at IS NOT NULL THEN 'delivered'
         WHEN orders.fulfilled_at IS NOT NULL THEN 'fulfilled' ELSE 'paid' END
"""

INVARIANTS = (
    Invariant(
        "order_has_survey",
        "every order has a survey, planned or skipped with its reason",
        "ord",
        """
        SELECT orders.brand_id, orders.id AS row FROM orders
        WHERE NOT EXISTS (SELECT FROM surveys
            WHERE surveys.brand_id = orders.brand_id AND surveys.cause_kind = 'order'
                AND surveys.cause_id = orders.id)
        """,
    ),
    Invariant(
        "one_survey_per_cause",
        "no order or other cause has two surveys",
        "sur",
        """
        SELECT brand_id, (array_agg(id ORDER BY created_at, id))[1] AS row FROM surveys
        GROUP BY brand_id, cause_kind, cause_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        "sent_survey_was_accepted",
        "a provider accepted the message of a survey that is marked as sent",
        "sur",
        """
        SELECT surveys.brand_id, surveys.id AS row FROM surveys
            WHERE surveys.status = 'sent' AND NOT EXISTS (
            SELECT FROM messages
                WHERE messages.brand_id = surveys.brand_id AND messages.template = 'survey'
                AND messages.subject_id = surveys.id AND messages.sent_at IS NOT NULL)
        """,
    ),
    Invariant(
        "skip_has_reason",
        "a skipped survey has its reason, and no other has one",
        "sur",
        "SELECT brand_id, id AS row FROM surveys WHERE (status = 'skipped') <> (reason IS NOT NULL)",
    ),
    Invariant(
        "survey_is_of_its_order",
        "a survey that is planned goes to the customer of its order",
        "sur",
        """
        SELECT surveys.brand_id, surveys.id AS row FROM surveys
        JOIN orders ON orders.brand_id = surveys.brand_id AND orders.id = surveys.order_id
        WHERE surveys.status = 'planned' AND surveys.customer_id IS DISTINCT FROM orders.customer_id
        """,
    ),
    Invariant(
        "history_is_never_surveyed",
        "imported history and test orders never cause a message",
        "sur",
        f"""
        SELECT surveys.brand_id, surveys.id AS row FROM surveys
        JOIN orders ON orders.brand_id = surveys.brand_id AND orders.id = surveys.order_id
        JOIN messages ON messages.brand_id = surveys.brand_id AND messages.subject_id = surveys.id
            AND messages.template IN ('survey', 'reminder')
        WHERE (orders.history OR orders.test) AND messages.status IN {_GONE_OUT}
        """,
    ),
    Invariant(
        "trial_is_marked",
        "the survey of a trial and the response to it are marked as such, and no others",
        "sur",
        """
        SELECT surveys.brand_id, surveys.id AS row FROM surveys
        LEFT JOIN orders ON orders.brand_id = surveys.brand_id AND orders.id = surveys.order_id
        LEFT JOIN responses ON responses.brand_id = surveys.brand_id AND responses.survey_id = surveys.id
        WHERE surveys.trial <> coalesce(orders.trial, false) OR responses.trial <> surveys.trial
        """,
    ),
    Invariant(
        "response_to_a_sent_survey",
        "only a survey that was sent has a response, and it is marked as answered",
        "rsp",
        """
        SELECT responses.brand_id, responses.id AS row FROM responses
        JOIN surveys ON surveys.brand_id = responses.brand_id AND surveys.id = responses.survey_id
        WHERE surveys.status <> 'answered' OR surveys.sent_at IS NULL
            OR surveys.order_id IS DISTINCT FROM responses.order_id
                OR surveys.customer_id <> responses.customer_id
        """,
    ),
    Invariant(
        "one_response_per_survey",
        "no survey has two responses",
        "sur",
        "SELECT brand_id, survey_id AS row FROM responses GROUP BY 1, 2 HAVING count(*) > 1",
    ),
    Invariant(
        "sent_has_attempt",
        "a message that went out has an accepted attempt",
        "msg",
        f"""
        SELECT messages.brand_id, messages.id AS row FROM messages
            WHERE messages.status IN {_GONE_OUT} AND NOT EXISTS (
            SELECT FROM attempts
                WHERE attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
                    AND attempts.status = 'accepted')
        """,
    ),
    Invariant(
        "sent_once",
        "no message went out twice, unless it is marked as a possible duplicate",
        "msg",
        """
        SELECT messages.brand_id, messages.id AS row FROM messages
        JOIN attempts ON attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
            AND attempts.status = 'accepted'
        WHERE NOT messages.possible_duplicate GROUP BY 1, 2 HAVING count(*) > 1
        """,
    ),
    Invariant(
        "attempts_are_counted",
        "a message counts its attempts",
        "msg",
        """
        SELECT messages.brand_id, messages.id AS row FROM messages WHERE messages.attempts <> (
            SELECT count(*) FROM attempts
                WHERE attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id)
        """,
    ),
    Invariant(
        "unsent_was_never_sent",
        "a cancelled or suppressed message has no accepted attempt",
        "msg",
        """
        SELECT DISTINCT messages.brand_id, messages.id AS row FROM messages
        JOIN attempts ON attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
            AND attempts.status = 'accepted'
        WHERE messages.status IN ('cancelled', 'suppressed')
        """,
    ),
    Invariant(
        "order_status_is_its_facts",
        "an order's status follows from its facts",
        "ord",
        f"SELECT orders.brand_id, orders.id AS row FROM orders WHERE orders.status <> {_FOLDED_STATUS}",
    ),
    Invariant(
        "processed_has_time",
        "a delivery has the time of its processing once it has a result; a failed one has a reason",
        "dlv",
        """
        SELECT brand_id, id AS row FROM deliveries
        WHERE (status IN ('new', 'fetching')) = (processed_at IS NOT NULL)
            OR (status = 'failed' AND reason IS NULL)
        """,
    ),
    Invariant(
        "fetching_has_due_fetch",
        "a delivery whose content is still to be fetched has a fetch that is due",
        "dlv",
        """
        SELECT brand_id, id AS row FROM deliveries WHERE status = 'fetching' AND NOT EXISTS (
            SELECT FROM delivery_fetches WHERE delivery_fetches.brand_id = deliveries.brand_id
                AND delivery_fetches.delivery_id = deliveries.id AND delivery_fetches.due_at IS NOT NULL)
        """,
    ),
    Invariant(
        "slug_names_its_shop",
        "every shop is found by its slug, and every slug finds a shop",
        "shp",
        """
        SELECT coalesce(shops.brand_id, shop_slugs.brand_id) AS brand_id,
            coalesce(shops.id, shop_slugs.shop_id) AS row
        FROM shops FULL JOIN shop_slugs ON shop_slugs.brand_id = shops.brand_id
            AND shop_slugs.shop_id = shops.id AND shop_slugs.slug = shops.slug
        WHERE shops.id IS NULL OR shop_slugs.slug IS NULL
        """,
    ),
)
