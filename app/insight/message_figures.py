"""The figures of messages: how many surveys were handed over and answered, and offers arrived.

Both are dated by the time that the message's row was created, as responses are by the same clock.
"""

from app.insight.figure_types import UNTIL_FOREVER, Figure, Slice

_REPORTED = "messages.status IN ('delivered', 'bounced', 'complained')"
"""Whether a message's status is one that its provider reported."""
_ARRIVED = "messages.status IN ('delivered', 'complained')"


def _surveys(slice_: Slice) -> str:
    return f"""
        SELECT messages.shop_id, {slice_.day("messages.created_at")} AS day, {UNTIL_FOREVER} AS until,
            messages.channel AS key,
            count(*) FILTER (WHERE messages.sent_at IS NOT NULL OR responses.id IS NOT NULL) AS accepted,
            count(*) FILTER (WHERE {_ARRIVED} OR responses.id IS NOT NULL) AS arrived,
            count(*) FILTER (WHERE {_REPORTED}) AS reported,
            count(responses.id) AS responses
        FROM messages LEFT JOIN responses ON responses.brand_id = :brand
            AND responses.survey_id = messages.subject_id
        WHERE messages.brand_id = :brand AND messages.template = 'survey' AND NOT messages.trial
            AND {slice_.within("messages.created_at")} AND {slice_.id_within("messages.id")}
        GROUP BY 1, 2, 3, 4
    """


def _offers(slice_: Slice) -> str:
    """A person counts at the first offer that was handed over and did not bounce."""
    return f"""
        WITH offers AS (
            SELECT messages.shop_id, messages.created_at, messages.channel, messages.status,
                messages.sent_at IS NOT NULL AND messages.status <> 'bounced' AND NOT EXISTS (
                    SELECT FROM messages AS earlier WHERE earlier.brand_id = :brand
                        AND earlier.customer_id = messages.customer_id AND earlier.template = 'offer'
                        AND NOT earlier.trial AND earlier.sent_at IS NOT NULL
                        AND earlier.status <> 'bounced'
                        AND (earlier.created_at, earlier.id) < (messages.created_at, messages.id)
                ) AS is_first
            FROM messages
            WHERE messages.brand_id = :brand AND messages.template = 'offer' AND NOT messages.trial
                AND {slice_.within("messages.created_at")} AND {slice_.id_within("messages.id")}
        )
        SELECT messages.shop_id, {slice_.day("messages.created_at")} AS day, {UNTIL_FOREVER} AS until,
            messages.channel AS key,
            count(*) FILTER (WHERE messages.is_first) AS accepted,
            count(*) FILTER (WHERE messages.is_first AND {_ARRIVED}) AS arrived,
            count(*) FILTER (WHERE {_REPORTED}) AS reported
        FROM offers AS messages GROUP BY 1, 2, 3, 4
    """


SURVEYS = Figure("survey messages", ("accepted", "arrived", "reported", "responses"), _surveys)
"""Surveys' messages by channel; one that was answered arrived, whatever its provider reports."""
OFFERS = Figure("offer messages", ("accepted", "arrived", "reported"), _offers)
"""People whose first offer was handed over, by its channel; `reported` counts messages."""
FIGURES = (SURVEYS, OFFERS)
