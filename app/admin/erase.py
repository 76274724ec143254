"""Erase what the API stored of people: responses to writes with an `Idempotency-Key`."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.ids import public_id
from app.base.outbox import Consumer, RecordedEvent
from app.ingest.erase import CUSTOMER_ERASED
from app.messaging.models import Message
from app.orders.models import Order
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.reward_models import Reward
from app.surveys.models import Response, Survey

_EMPTY = text("""
    UPDATE idempotency_keys SET body = '{}'
    WHERE brand_id = :brand_id AND body <> '{}' AND body ->> 'erased_at' IS NULL AND EXISTS (
        SELECT FROM jsonb_path_query(body, 'strict $.**') AS inside (value)
        WHERE jsonb_typeof(value) = 'string' AND value #>> '{}' = ANY(CAST(:ids AS text[])))
""")


async def erase_responses(session: AsyncSession, brand_id: int, events: Sequence[RecordedEvent]) -> None:
    """Empty the stored responses that name the customers of these events, or rows about them.

    The key stays used: a repeated request gets 410 instead of the response. The response to an
    erasure stays, since it holds nothing but ids.
    """
    ids = await _ids_about(session, brand_id, [event.subject_id for event in events])
    await session.execute(_EMPTY, {"brand_id": brand_id, "ids": sorted(ids)})


async def _ids_about(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> set[str]:
    """The public ids of these customers and of every row that is about one of them."""
    referrers = select(Referrer.id).where(
        Referrer.brand_id == brand_id, in_ids(Referrer.customer_id, customer_ids)
    )
    queries = {
        "ref": referrers,
        "cod": select(Code.id).where(Code.brand_id == brand_id, Code.referrer_id.in_(referrers)),
        "rwd": select(Reward.id).where(Reward.brand_id == brand_id, Reward.referrer_id.in_(referrers)),
        "red": select(Redemption.id).where(
            Redemption.brand_id == brand_id,
            or_(Redemption.referrer_id.in_(referrers), in_ids(Redemption.friend_id, customer_ids)),
        ),
        "ord": select(Order.id).where(Order.brand_id == brand_id, in_ids(Order.customer_id, customer_ids)),
        "sur": select(Survey.id).where(Survey.brand_id == brand_id, in_ids(Survey.customer_id, customer_ids)),
        "rsp": select(Response.id).where(
            Response.brand_id == brand_id, in_ids(Response.customer_id, customer_ids)
        ),
        "msg": select(Message.id).where(
            Message.brand_id == brand_id, in_ids(Message.customer_id, customer_ids)
        ),
    }
    ids = {public_id("cus", each) for each in customer_ids}
    for prefix, query in queries.items():
        ids |= {public_id(prefix, each) for each in await session.scalars(query)}
    return ids


CONSUMER = Consumer("stored_responses", frozenset({CUSTOMER_ERASED}), erase_responses)
