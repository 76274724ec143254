"""What waits for a person's decision."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.prepared import Prepared
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


def select_in_review(brand_id: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    """The number of a brand's friends' orders in review, and since when the first waits."""
    in_review = Redemption.brand_id == brand_id, Redemption.status == RedemptionStatus.in_review
    return select(func.count(), func.min(Redemption.created_at)).where(*in_review)


def select_open(brand_id: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    """The number of a brand's answers that wait for the team, and since when the first does."""
    query = select(Response.id, Response.answered_at).where(Response.brand_id == brand_id, IS_OPEN)
    first = query.order_by(Response.id).limit(1).with_only_columns(Response.answered_at)
    counted = select(func.count()).select_from(query.limit(MOST_OPEN).subquery())
    return select(counted.scalar_subquery(), first.scalar_subquery())


async def redemptions_in_review(
    session: AsyncSession, brand_id: int, shops: Collection[UUID] | None = None
) -> Waiting:
    """The friends' orders of a brand that are in review, in these shops where some are given."""
    if shops is None:
        return await _only(_IN_REVIEW, session, brand_id)
    query = select_in_review(literal(brand_id)).where(in_ids(Redemption.shop_id, sorted(shops)))
    return _waiting(*(await session.execute(query)).one())


async def open_responses(
    session: AsyncSession, brand_id: int, shops: Collection[UUID] | None = None
) -> Waiting:
    """The answers of a brand that wait for the team, of these shops alone where some are given.

    Counted up to `MOST_OPEN`, from an index that has the open ones alone.
    """
    if shops is None:
        return await _only(_OPEN, session, brand_id)
    query = (
        select(Response.id, Response.answered_at)
        .join(Survey, (Survey.brand_id == Response.brand_id) & (Survey.id == Response.survey_id))
        .where(Response.brand_id == brand_id, IS_OPEN, in_ids(Survey.shop_id, sorted(shops)))
    )
    found = await session.execute(select(func.count()).select_from(query.limit(MOST_OPEN).subquery()))
    first = (await session.execute(query.order_by(Response.id).limit(1))).first()
    return Waiting(count=found.scalar_one(), since=None if first is None else first.answered_at)


async def _only(statement: Prepared[Waiting], session: AsyncSession, brand_id: int) -> Waiting:
    (found,) = await statement.all(session, of_brand=brand_id)
    return found


def _waiting(count: Any, since: Any) -> Waiting:
    return Waiting(count=count, since=since)


_IN_REVIEW = Prepared(select_in_review(bindparam("of_brand")), _waiting)
_OPEN = Prepared(select_open(bindparam("of_brand")), _waiting)
