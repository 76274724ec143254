"""Responses as they are listed, with what the team made of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Select, Text, exists, func, literal_column, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import constant, in_ids
from app.base.prepared import Prepared
from app.base.records import read_rows
from app.brands.models import Shop
from app.customers.contact import email_identity
from app.customers.models import Customer
from app.messaging.models import Message
from app.surveys.models import IS_OPEN, Response, ResponseEvent, ResponseTag, Survey
from app.surveys.rules import SurveyStatus
from app.surveys.templates import REPLY
from app.surveys.work_rules import WorkState, prefix_query

_SIMPLE: ColumnElement[str] = literal_column("'simple'", Text)
_FEW = 1_000
"""With this many matches a word is frequent."""
MOST_NAMES = 200
"""Names of tags that are offered."""


def select_responses(brand_id: int) -> Select[Any]:
    """The responses of a brand with shops, customers and tags, as `ResponseRow` reads them."""
    tags = (
        select(func.jsonb_agg(aggregate_order_by(ResponseTag.name, ResponseTag.key)))
        .where(ResponseTag.brand_id == Response.brand_id, ResponseTag.response_id == Response.id)
        .scalar_subquery()
    )
    return (
        select(Response.id.label("id"), Response, Shop.slug.label("shop"), tags.label("tags"))
        .add_columns(Customer.first_name, Customer.last_name)
        .join(Survey, (Survey.brand_id == Response.brand_id) & (Survey.id == Response.survey_id))
        .join(Shop, (Shop.brand_id == Survey.brand_id) & (Shop.id == Survey.shop_id))
        .join(Customer, (Customer.brand_id == Response.brand_id) & (Customer.id == Response.customer_id))
        .where(Response.brand_id == brand_id)
    )


def in_state(state: WorkState) -> ColumnElement[bool]:
    """The condition that a response is in this state."""
    return IS_OPEN if state is WorkState.open else Response.state == state


def of_shops(shops: Collection[UUID]) -> ColumnElement[bool]:
    """The condition that a response is to a survey of one of these shops.

    They stand in the statement itself: of a shop with few answers these are found by an index, of
    one with many the list is read in its order.
    """
    wanted = [constant(shop_id, Survey.shop_id.type) for shop_id in sorted(shops)]
    return (Survey.status == constant(SurveyStatus.answered, Survey.status.type)) & Survey.shop_id.in_(wanted)


async def with_words(session: AsyncSession, brand_id: int, entered: str) -> ColumnElement[bool]:
    """The condition that the comment has words with each of these beginnings.

    An e-mail address finds the responses of whose it is. Few matches are found by their index here:
    the planner would rather read a list in its order, which for a rare word is all of it. Of a
    frequent word it soon finds a page of rows.
    """
    email = email_identity(entered) if "@" in entered else None
    if email is not None:
        people = select(Customer.id).where(Customer.brand_id == brand_id, Customer.email == email)
        return in_ids(Response.customer_id, list(await session.scalars(people)))
    vector = func.to_tsvector(_SIMPLE, Response.comment)
    words = vector.op("@@", return_type=Boolean())(func.to_tsquery(_SIMPLE, prefix_query(entered)))
    found = await session.scalars(select(Response.id).where(Response.brand_id == brand_id, words).limit(_FEW))
    ids = found.all()
    return words if len(ids) == _FEW else in_ids(Response.id, list(ids))


def with_tag(name: str) -> ColumnElement[bool]:
    """The condition that a response has this tag, in whatever case."""
    return exists().where(
        ResponseTag.brand_id == Response.brand_id,
        ResponseTag.response_id == Response.id,
        ResponseTag.key == name.strip().casefold(),
    )


async def tag_list(session: AsyncSession, brand_id: int) -> list[tuple[str, int]]:
    """The tags that a brand uses, the most used first, each with its number of responses."""
    count = func.count()
    found = await session.execute(
        select(func.min(ResponseTag.name), count)
        .where(ResponseTag.brand_id == brand_id)
        .group_by(ResponseTag.key)
        .order_by(count.desc(), ResponseTag.key)
        .limit(MOST_NAMES)
    )
    return [(name, number) for name, number in found]


_USED_TAGS = Prepared(
    text("""
    WITH RECURSIVE keys AS (
        (SELECT key FROM response_tags WHERE brand_id = :brand ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (
            SELECT tags.key FROM response_tags AS tags
            WHERE tags.brand_id = :brand AND tags.key > keys.key ORDER BY tags.key LIMIT 1
        ) FROM keys WHERE keys.key IS NOT NULL
    )
    SELECT spelled.name FROM keys CROSS JOIN LATERAL (
        SELECT tags.name FROM response_tags AS tags
        WHERE tags.brand_id = :brand AND tags.key = keys.key ORDER BY tags.response_id LIMIT 1
    ) AS spelled LIMIT :most
    """),
    str,
)


async def used_tags(session: AsyncSession, brand_id: int) -> Sequence[str]:
    """The tags that a brand uses, in their order; reads one row of each, however many there are."""
    return await _USED_TAGS.all(session, brand=brand_id, most=MOST_NAMES)


@dataclass(slots=True)
class ResponseWork:
    """What the team did with a response, oldest first."""

    events: list[ResponseEvent] = field(default_factory=list)
    replies: list[Message] = field(default_factory=list)
    """The messages of its events `replied`, in their order."""


async def load_work(
    session: AsyncSession, brand_id: int, response_ids: Sequence[UUID]
) -> dict[UUID, ResponseWork]:
    """What the team did with each of these responses."""
    found = {each: ResponseWork() for each in response_ids}
    events = (
        select(ResponseEvent)
        .where(ResponseEvent.brand_id == brand_id, in_ids(ResponseEvent.response_id, list(response_ids)))
        .order_by(ResponseEvent.id)
    )
    for row in await read_rows(session, events):
        found[row.ResponseEvent.response_id].events.append(row.ResponseEvent)
    messages = (
        select(Message)
        .where(
            Message.brand_id == brand_id,
            Message.template == REPLY.name,
            in_ids(Message.subject_id, list(response_ids)),
        )
        .order_by(Message.step)
    )
    for row in await read_rows(session, messages):
        found[row.Message.subject_id].replies.append(row.Message)
    return found
