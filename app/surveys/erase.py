"""Erase what a person wrote and send them no more surveys; scores stay, without a name."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.surveys.models import Response, Survey
from app.surveys.rules import OPEN, SkipReason, SurveyStatus


async def erase_responses(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> None:
    """Erase these customers' comments and testimonial consents. Idempotent.

    Planned surveys are skipped (`no_address`), open ones expire.
    """
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
            Survey.status.in_(OPEN),
        )
        .values(status=SurveyStatus.expired, reminder_due_at=None)
    )
    await session.execute(
        update(Response)
        .where(Response.brand_id == brand_id, in_ids(Response.customer_id, customer_ids))
        .values(comment=None, testimonial_consent=False)
    )
