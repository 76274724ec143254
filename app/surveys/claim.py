"""What sending, reminding and expiring share: batches of due surveys, locked and written back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Integer, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.base.batch import arrays_of_tuples, bound_recordset, in_bound_ids
from app.base.prepared import Prepared, one_value
from app.brands.programme import Channel, Programme
from app.customers.models import Customer
from app.surveys.models import StoredDeferral, Survey
from app.surveys.rules import SkipReason, SurveyStatus

BATCH = 500
"""Rows per transaction: few, so that a page that waits for one of their customers waits briefly."""


class SurveyState(NamedTuple):
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


class DueSurvey(NamedTuple):
    """What is read of a claimed survey; all fields but the last are columns."""

    id: UUID
    cause_id: UUID
    order_id: UUID | None
    shop_id: UUID
    customer_id: UUID | None
    status: SurveyStatus
    reason: SkipReason | None
    channel: Channel | None
    triggered_at: datetime | None
    due_at: datetime | None
    deferred_reason: str | None
    deferrals: list[StoredDeferral] | None
    queued_at: datetime | None
    expires_at: datetime | None
    reminders_sent: int
    reminder_due_at: datetime | None
    trial: bool
    created_at: datetime
    last_queued_at: datetime | None = None
    """When the latest survey of its customer was queued, trials aside, where that is asked for."""


def state_of(survey: DueSurvey) -> SurveyState:
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


def deferrals_of(survey: Survey | DueSurvey) -> list[StoredDeferral]:
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


_READ = tuple(getattr(Survey, name) for name in DueSurvey._fields[:-1])
_other = aliased(Survey)
_LAST_QUEUED = (
    select(func.max(_other.queued_at))
    .where(
        _other.brand_id == Survey.brand_id,
        _other.customer_id == Survey.customer_id,
        _other.queued_at.is_not(None),
        _other.trial.is_(False),
    )
    .scalar_subquery()
)
"""One lookup in an index for each customer."""
NOW = bindparam("now", type_=DateTime(timezone=True))
"""The time, in the conditions of prepared statements."""


class DueSurveys:
    """The surveys of a brand that fulfil a condition at a time, `NOW`.

    `with_last` also reads `DueSurvey.last_queued_at`, once the customers are locked.
    """

    def __init__(
        self,
        is_due: ColumnElement[bool],
        due_at: InstrumentedAttribute[datetime | None],
        *,
        with_last: bool = False,
    ) -> None:
        of_brand = bindparam("of_brand", type_=Integer)
        customers = (
            select(Survey.id)
            .join(Customer, and_(Customer.brand_id == Survey.brand_id, Customer.id == Survey.customer_id))
            .where(Survey.brand_id == of_brand, is_due)
            .order_by(due_at)
            .limit(BATCH)
            .with_for_update(key_share=True, skip_locked=True, of=Customer)
        )
        surveys = (
            select(*_READ, *([_LAST_QUEUED] if with_last else []))
            .where(Survey.brand_id == of_brand, in_bound_ids(Survey.id, "ids"), is_due)
            .order_by(due_at, Survey.id)
            .with_for_update(key_share=True, skip_locked=True)
        )
        self._customers: Prepared[UUID] = Prepared(customers, one_value)
        self._surveys = Prepared(surveys, DueSurvey)

    async def claim(self, session: AsyncSession, brand_id: int, *, now: datetime) -> Sequence[DueSurvey]:
        """A batch of due surveys, locked with their customers, in the order in which they are due.

        Customers are locked before surveys, as everywhere. Neither lock waits, so this cannot be
        part of a deadlock: rows that another transaction has locked are left to it. Surveys are
        read again once their customers are locked.
        """
        ids = await self._customers.all(session, of_brand=brand_id, now=now)
        return await self._surveys.all(session, of_brand=brand_id, ids=ids, now=now) if ids else []


async def write_states(session: AsyncSession, brand_id: int, states: Sequence[SurveyState]) -> None:
    """Write the changed columns of these surveys, in one statement."""
    await _WRITE.run(session, of_brand=brand_id, **arrays_of_tuples(states, _WRITTEN))


_WRITTEN = tuple(getattr(Survey, name) for name in SurveyState._fields)
_written = bound_recordset(_WRITTEN)
_WRITE = Prepared(
    update(Survey)
    .where(Survey.brand_id == bindparam("of_brand"), Survey.id == _written.c.id)
    .values({column.key: _written.c[column.key] for column in _WRITTEN[1:]}),
    tuple,
)


def next_reminder_at(programme: Programme, reminders_sent: int, *, now: datetime) -> datetime | None:
    """When the next reminder is due, counted from `now`; None once `max_reminders` were sent."""
    survey = programme.survey
    return (
        now + timedelta(hours=survey.reminder_after_hours) if reminders_sent < survey.max_reminders else None
    )
