"""Mark surveys as sent in the transaction that records that a provider accepted their messages.

Messaging is a layer below surveys and does not know them; it calls this by the survey's template.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, bindparam, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.selectable import CTE

from app.base.batch import in_bound_ids
from app.base.outbox import Event, record_events
from app.base.prepared import Prepared, one_value
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus


async def mark_sent(session: AsyncSession, brand_id: int, survey_ids: Sequence[UUID], now: datetime) -> None:
    """Mark these surveys as sent at `now`, those that are queued and not locked by another.

    It waits for no lock: the caller has locked messages, which others lock after their survey. What
    is left out is found by the sweep (`app.surveys.confirm`).
    """
    sent = await _MARK.all(session, of_brand=brand_id, ids=survey_ids, accepted_at=now)
    await record_sent(session, brand_id, sent, now=now)


async def record_sent(
    session: AsyncSession, brand_id: int, survey_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Write the domain events of surveys that were just marked as sent."""
    await record_events(session, brand_id, [Event("survey.sent", survey_id, now) for survey_id in survey_ids])


def marked_sent(found: CTE) -> Prepared[UUID]:
    """The statement that marks `found` surveys, by `id` and `sent_at`; returns their ids.

    Reminder and expiry were counted from queueing; they move by the time that the message waited.
    """
    waited = func.greatest(found.c.sent_at - Survey.queued_at, literal(timedelta(0)))
    return Prepared(
        update(Survey)
        .where(Survey.brand_id == bindparam("of_brand"), Survey.id == found.c.id)
        .values(
            status=SurveyStatus.sent,
            sent_at=found.c.sent_at,
            expires_at=Survey.expires_at + waited,
            reminder_due_at=Survey.reminder_due_at + waited,
        )
        .returning(Survey.id),
        one_value,
    )


_MARK = marked_sent(
    select(Survey.id, bindparam("accepted_at", type_=DateTime(timezone=True)).label("sent_at"))
    .where(
        Survey.brand_id == bindparam("of_brand"),
        in_bound_ids(Survey.id, "ids"),
        # In a form that no index has: surveys are looked up by their ids, however many are queued.
        (Survey.status == SurveyStatus.queued).is_(True),
    )
    .order_by(Survey.id)
    .with_for_update(key_share=True, skip_locked=True)
    .cte("accepted")
)
