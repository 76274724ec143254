"""The figures of responses: how many there are in each band, in all and by group.

Of each person the latest response of a period counts, in the shop and the group in which it was
given. By day it is therefore kept until when a response is the latest one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.insight.figure_types import UNTIL_FOREVER, Figure, Part, Slice
from app.surveys.models import COUNTS

BANDS = ("promoters", "passives", "detractors")


class By(StrEnum):
    """What responses can be grouped by."""

    week = "week"
    month = "month"
    product = "product"
    country = "country"
    channel = "channel"
    locale = "locale"
    shop = "shop"
    buyer = "buyer"
    cohort = "cohort"


@dataclass(frozen=True, slots=True)
class _Group:
    """How a response gets its key: SQL over `latest`, with what is joined to it.

    `bucket` is the SQL of the week or month of a time, in which the latest response counts.
    """

    key: str
    joins: str = ""
    bucket: Callable[[str], str] | None = None


# A response to a survey that is not about an order has none; it counts by its survey's shop and its
# customer's country, and has no product.
_PRODUCTS = """
    LEFT JOIN LATERAL (
        SELECT DISTINCT coalesce(item.value ->> 'sku', item.value ->> 'title') AS name
        FROM json_array_elements(latest.items) AS item
    ) AS product ON true
"""
_LOCALES = """
    LEFT JOIN LATERAL (
        SELECT messages.locale FROM messages WHERE messages.brand_id = :brand
            AND messages.template = 'survey' AND messages.subject_id = latest.survey_id
        ORDER BY messages.step, messages.channel LIMIT 1
    ) AS sent ON true
    JOIN shops ON shops.brand_id = :brand AND shops.id = latest.shop_id
"""
_CUSTOMERS = "JOIN customers ON customers.brand_id = :brand AND customers.id = latest.customer_id"
_IS_REPEAT = """(latest.ordered_before OR EXISTS (
    SELECT FROM orders AS earlier WHERE earlier.brand_id = :brand
        AND earlier.customer_id = latest.buyer_id AND NOT earlier.test AND NOT earlier.trial
        AND earlier.placed_at < latest.placed_at))"""


def _week(at: str) -> str:
    return f"to_char(date_trunc('week', {at} AT TIME ZONE :zone), 'YYYY-MM-DD')"


def _month(at: str) -> str:
    return f"to_char({at} AT TIME ZONE :zone, 'YYYY-MM')"


_GROUPS: dict[By, _Group] = {
    By.week: _Group(_week("latest.answered_at"), bucket=_week),
    By.month: _Group(_month("latest.answered_at"), bucket=_month),
    By.product: _Group("product.name", _PRODUCTS),
    By.country: _Group(
        "CASE WHEN latest.order_id IS NULL THEN customers.country ELSE latest.country END",
        _CUSTOMERS,
    ),
    By.channel: _Group("latest.channel"),
    By.locale: _Group("coalesce(sent.locale, shops.locale)", _LOCALES),
    By.buyer: _Group(
        f"CASE WHEN latest.placed_at IS NULL THEN NULL WHEN {_IS_REPEAT} THEN 'repeat' ELSE 'first' END"
    ),
    By.cohort: _Group(_month("coalesce(latest.placed_at, latest.triggered_at)")),
}


def _query(group: _Group, slice_: Slice) -> str:
    is_same_bucket = (
        "true"
        if group.bucket is None
        else f"{group.bucket('answers.later_at')} = {group.bucket('answers.answered_at')}"
    )
    until = f"coalesce({slice_.day('latest.next_at')}, {UNTIL_FOREVER})" if slice_.by_day else UNTIL_FOREVER
    return f"""
        SELECT latest.shop_id, {slice_.day("latest.answered_at")} AS day, {until} AS until,
            coalesce({group.key}, '') AS key,
            count(*) FILTER (WHERE latest.score >= 9) AS promoters,
            count(*) FILTER (WHERE latest.score BETWEEN 7 AND 8) AS passives,
            count(*) FILTER (WHERE latest.score <= 6) AS detractors
        FROM (
            SELECT *, CASE WHEN {is_same_bucket} THEN answers.later_at END AS next_at FROM answers
        ) AS latest {group.joins}
        {"" if slice_.by_day else "WHERE latest.next_at IS NULL"}
        GROUP BY 1, 2, 3, 4
    """


def _ordered_responses(slice_: Slice) -> str:
    """The responses of the slice with their order and the time of the person's next one."""
    return f"""
        SELECT responses.*, surveys.shop_id, surveys.triggered_at, orders.country, orders.items,
            orders.ordered_before, orders.customer_id AS buyer_id, orders.placed_at
        FROM ({_with_later(slice_)}) AS responses
        JOIN surveys ON surveys.brand_id = :brand AND surveys.id = responses.survey_id
        LEFT JOIN orders ON orders.brand_id = :brand AND orders.id = responses.order_id
    """


def _with_later(slice_: Slice) -> str:
    """The responses of the slice with `later_at`, the time of the person's next one.

    By day that is any later one, looked up for each; otherwise the next one in the period itself.
    """
    columns = """responses.id, responses.survey_id, responses.order_id, responses.customer_id,
        responses.channel, responses.score, responses.answered_at"""
    chosen = f"""responses.brand_id = :brand AND {COUNTS.format("responses")}
        AND {slice_.within("responses.answered_at")}"""
    if not slice_.by_day:
        return f"""
            SELECT {columns}, lead(responses.answered_at) OVER (
                PARTITION BY responses.customer_id ORDER BY responses.answered_at, responses.id) AS later_at
            FROM responses WHERE {chosen}
        """
    return f"""
        SELECT {columns}, next.answered_at AS later_at FROM responses
        LEFT JOIN LATERAL (
            SELECT later.answered_at FROM responses AS later
            WHERE later.brand_id = :brand AND later.customer_id = responses.customer_id
                AND {COUNTS.format("later")}
                AND (later.answered_at, later.id) > (responses.answered_at, responses.id)
            ORDER BY later.answered_at, later.id LIMIT 1
        ) AS next ON true
        WHERE {chosen}
    """


_ORDERED = Part("answers", _ordered_responses)


def _figure(name: str, group: _Group) -> Figure:
    return Figure(name, BANDS, lambda slice_: _query(group, slice_), (_ORDERED,))


RESPONSES = _figure("responses", _Group("''"))
"""Each person's latest response, by band."""
RESPONSES_BY = {by: _figure(f"responses by {by.value}", group) for by, group in _GROUPS.items()}
"""The same by group; `By.shop` has none, since every figure is kept by shop."""


def _reasons(slice_: Slice) -> str:
    return f"""
        SELECT surveys.shop_id, {slice_.day("responses.answered_at")} AS day, {UNTIL_FOREVER} AS until, tags.key,
            count(*) AS responses
        FROM responses
        JOIN response_tags AS tags ON tags.brand_id = :brand AND tags.response_id = responses.id
        JOIN surveys ON surveys.brand_id = :brand AND surveys.id = responses.survey_id
        WHERE responses.brand_id = :brand AND responses.score <= 6 AND {COUNTS.format("responses")}
            AND {slice_.within("responses.answered_at")}
        GROUP BY 1, 2, 3, 4
    """


REASONS = Figure("reasons", ("responses",), _reasons)
"""Detractors' responses by the key of a tag that they have, a person's earlier ones too."""
FIGURES = (RESPONSES, *RESPONSES_BY.values(), REASONS)
