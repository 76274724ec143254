"""Erase what a person wrote and send them no more surveys; scores stay, without a name."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.surveys.models import IS_OPEN, Response, ResponseEvent, ResponseTag, Survey
from app.surveys.rules import OPEN, SkipReason, SurveyStatus
from app.surveys.work_rules import WRITTEN, WorkEvent, WorkState

_WORDS = (*WRITTEN, WorkEvent.tagged, WorkEvent.untagged)


async def erase_responses(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> None:
    """Erase these customers' comments, testimonial consents, notes, replies and tags. Idempotent.

    What was open is closed, since nobody can be answered any more. Planned
    surveys are skipped (`no_address`), open ones expire.
    """
    await _end_surveys(session, brand_id, customer_ids)
    await _erase_responses_of(session, brand_id, customer_ids)
    # After the responses' rows are locked: what is noted at the same time is stored by now.
    await _erase_work(session, brand_id, customer_ids)


async def _end_surveys(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> None:
    theirs = (Survey.brand_id == brand_id, in_ids(Survey.customer_id, customer_ids))
    await session.execute(
        update(Survey)
        .where(*theirs, Survey.status == SurveyStatus.planned)
        .values(status=SurveyStatus.skipped, reason=SkipReason.no_address, due_at=None, deferred_reason=None)
    )
    await session.execute(
        update(Survey)
        .where(*theirs, Survey.status.in_(OPEN))
        .values(status=SurveyStatus.expired, reminder_due_at=None)
    )


async def _erase_responses_of(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> None:
    await session.execute(
        update(Response)
        .where(Response.brand_id == brand_id, in_ids(Response.customer_id, customer_ids))
        .values(
            comment=None,
            testimonial_consent=False,
            assignee_id=None,
            replying=False,
            network=None,
            state=case((IS_OPEN, WorkState.closed.value), else_=Response.state),
        )
        .execution_options(synchronize_session=False)
    )


async def _erase_work(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> None:
    """The team's tags, notes and replies."""
    theirs = select(Response.id).where(
        Response.brand_id == brand_id, in_ids(Response.customer_id, customer_ids)
    )
    await session.execute(
        delete(ResponseTag)
        .where(ResponseTag.brand_id == brand_id, ResponseTag.response_id.in_(theirs))
        .execution_options(synchronize_session=False)
    )
    await session.execute(
        update(ResponseEvent)
        .where(
            ResponseEvent.brand_id == brand_id,
            ResponseEvent.response_id.in_(theirs),
            ResponseEvent.kind.in_(_WORDS),
        )
        .values(text=None)
        .execution_options(synchronize_session=False)
    )
