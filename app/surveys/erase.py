"""Forget what a person wrote, and ask them nothing more. Scores stay, without anybody behind them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.surveys.models import Response, Survey
from app.surveys.rules import SkipReason, SurveyStatus


async def erase_responses(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> None:
    """Drop these customers' comments and leave to quote them; planned surveys are skipped, open ones are closed. Idempotent."""
    await session.execute(
        update(Survey)
        .where(
            Survey.brand_id == brand_id,
            in_ids(Survey.customer_id, customer_ids),
            Survey.status == SurveyStatus.planned,
        )
        .values(status=SurveyStatus.skipped, reason=SkipReason.no_address, due_at=None, deferred_reason=None)
    )
    await session.execute(
        update(Survey)
        .where(
            Survey.brand_id == brand_id,
            in_ids(Survey.customer_id, customer_ids),
            Survey.status == SurveyStatus.sent,
        )
        .values(status=SurveyStatus.expired, reminder_due_at=None)
    )
    await session.execute(
        update(Response)
        .where(Response.brand_id == brand_id, in_ids(Response.customer_id, customer_ids))
        .values(comment=None, testimonial_consent=False)
    )
