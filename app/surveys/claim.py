"""What sending, reminding and expiring share: batches of due surveys, locked and written back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import as_row, in_ids, recordset
from app.brands.programme import Channel, Programme
from app.customers.models import Customer
from app.surveys.models import StoredDeferral, Survey
from app.surveys.rules import SkipReason, SurveyStatus

BATCH = 500
"""Rows per transaction: few, so that a page that waits for one of their customers waits briefly."""


@dataclass(frozen=True, slots=True)
class SurveyState:
    """The columns of a survey that a batch may change, by its `id`."""

    id: UUID
    status: SurveyStatus
    reason: SkipReason | None
    channel: Channel | None
    due_at: datetime | None
    deferred_reason: str | None
    deferrals: list[StoredDeferral] | None
    queued_at: datetime | None
    expires_at: datetime | None
    reminders_sent: int
    reminder_due_at: datetime | None


_CHANGED = (
    Survey.status,
    Survey.reason,
    Survey.channel,
    Survey.due_at,
    Survey.deferred_reason,
    Survey.deferrals,
    Survey.queued_at,
    Survey.expires_at,
    Survey.reminders_sent,
    Survey.reminder_due_at,
)


def state_of(survey: Survey) -> SurveyState:
    """The row as it is now."""
    return SurveyState(
        id=survey.id,
        status=survey.status,
        reason=survey.reason,
        channel=survey.channel,
        due_at=survey.due_at,
        deferred_reason=survey.deferred_reason,
        deferrals=survey.deferrals,
        queued_at=survey.queued_at,
        expires_at=survey.expires_at,
        reminders_sent=survey.reminders_sent,
        reminder_due_at=survey.reminder_due_at,
    )


def deferrals_of(survey: Survey) -> list[StoredDeferral]:
    """Why it was sent later, oldest first: by its plan, then whenever it was due."""
    if survey.deferrals is not None:
        return survey.deferrals
    if survey.deferred_reason is None or survey.due_at is None:
        return []
    # Its plan was made when the fact was reported that started the clock.
    planned_at = survey.triggered_at or survey.created_at
    return [
        StoredDeferral(
            reason=survey.deferred_reason, until=survey.due_at.isoformat(), at=planned_at.isoformat()
        )
    ]


async def claim(
    session: AsyncSession,
    brand_id: int,
    is_due: ColumnElement[bool],
    due_at: InstrumentedAttribute[datetime | None],
) -> Sequence[Survey]:
    """A batch of due surveys, locked with their customers, in the order of `due_at`.

    Customers are locked before surveys, as everywhere. Neither lock waits, so this cannot be part
    of a deadlock: rows that another transaction has locked are left to it. Surveys are read again
    once their customers are locked.
    """
    customers = (
        select(Survey.id)
        .join(Customer, and_(Customer.brand_id == Survey.brand_id, Customer.id == Survey.customer_id))
        .where(Survey.brand_id == brand_id, is_due)
        .order_by(due_at)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True, of=Customer)
    )
    ids = (await session.scalars(customers)).all()
    if not ids:
        return []
    surveys = (
        select(Survey)
        .where(Survey.brand_id == brand_id, in_ids(Survey.id, ids), is_due)
        .order_by(due_at, Survey.id)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(surveys)).all()


async def write_states(session: AsyncSession, brand_id: int, states: Sequence[SurveyState]) -> None:
    """Write the changed columns of these surveys, in one statement."""
    given = recordset([as_row(state) for state in states], [Survey.id, *_CHANGED])
    await session.execute(
        update(Survey)
        .where(Survey.brand_id == brand_id, Survey.id == given.c.id)
        .values({column.key: given.c[column.key] for column in _CHANGED})
        .execution_options(synchronize_session=False)
    )


def next_reminder_at(programme: Programme, reminders_sent: int, *, now: datetime) -> datetime | None:
    """When the next reminder is due, counted from `now`; None once `max_reminders` were sent."""
    survey = programme.survey
    return (
        now + timedelta(hours=survey.reminder_after_hours) if reminders_sent < survey.max_reminders else None
    )
