"""What waits for a person's decision."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.schemas import ApiModel
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus
from app.surveys.models import IS_OPEN, Response, Survey

MOST_OPEN = 10_000
"""More open answers than these are not counted."""


class Waiting(ApiModel):
    """How many wait, and since when the first of them does; null where none waits."""

    count: int
    since: datetime | None


async def redemptions_in_review(session: AsyncSession, brand_id: int) -> Waiting:
    """The friends' orders of a brand that are in review."""
    in_review = Redemption.brand_id == brand_id, Redemption.status == RedemptionStatus.in_review
    found = await session.execute(select(func.count(), func.min(Redemption.created_at)).where(*in_review))
    count, since = found.one()
    return Waiting(count=count, since=since)


async def open_responses(
    session: AsyncSession, brand_id: int, shops: Collection[UUID] | None = None
) -> Waiting:
    """The answers of a brand that wait for the team, of these shops alone where some are given.

    Counted up to `MOST_OPEN`, from an index that has the open ones alone.
    """
    query = select(Response.id, Response.answered_at).where(Response.brand_id == brand_id, IS_OPEN)
    if shops is not None:
        query = query.join(
            Survey, (Survey.brand_id == Response.brand_id) & (Survey.id == Response.survey_id)
        ).where(in_ids(Survey.shop_id, sorted(shops)))
    found = await session.execute(select(func.count()).select_from(query.limit(MOST_OPEN).subquery()))
    first = (await session.execute(query.order_by(Response.id).limit(1))).first()
    return Waiting(count=found.scalar_one(), since=None if first is None else first.answered_at)
