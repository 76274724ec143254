"""Mark queued surveys as sent once a provider has accepted their messages.

Messaging is a layer below surveys and does not know them, so it cannot write their status. This
step of the sweep reads it instead: a survey is `sent` when its message has `sent_at`. It is one
statement per batch: the index on status finds queued surveys only, and each one's message is found
by its unique key. What is recorded late is found at the next sweep, within seconds. Nothing that a
customer can do depends on it: pages take responses to queued surveys too, because a message may
arrive before its acceptance is recorded. A survey whose message fails stays queued until it
expires.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, bindparam, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.outbox import Event, record_events
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.messaging.models import Message
from app.surveys.claim import BATCH
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from app.surveys.templates import SURVEY

# A scalar subquery, so that messages are looked up by their key whatever the table's size.
_accepted_at = (
    select(Message.sent_at)
    .where(
        Message.brand_id == Survey.brand_id,
        Message.template == SURVEY.name,
        Message.subject_id == Survey.id,
        Message.sent_at.is_not(None),
    )
    .limit(1)
    .scalar_subquery()
)


is_accepted = and_(Survey.status == SurveyStatus.queued, _accepted_at.is_not(None))
"""Condition: the survey is queued and a provider has accepted its message."""


async def confirm_sent(session: AsyncSession, _tokens: Tokens, brand_id: int, *, now: datetime) -> int:
    """Mark a batch of queued surveys as sent, at the time of acceptance; returns how many.

    Reminder and expiry were counted from queueing; they move by the time that the message waited.
    """
    confirmed = await _CONFIRM.all(session, of_brand=brand_id)
    await record_events(session, brand_id, [Event("survey.sent", survey_id, now) for survey_id in confirmed])
    return len(confirmed)


def _as_it_is(survey_id: UUID) -> UUID:
    return survey_id


_accepted = (
    select(Survey.id, _accepted_at.label("sent_at"))
    .where(Survey.brand_id == bindparam("of_brand"), is_accepted)
    .order_by(Survey.id)
    .limit(BATCH)
    .with_for_update(key_share=True, skip_locked=True)
    .cte("accepted")
)
_waited = func.greatest(_accepted.c.sent_at - Survey.queued_at, literal(timedelta(0)))
_CONFIRM = Prepared(
    update(Survey)
    .where(Survey.brand_id == bindparam("of_brand"), Survey.id == _accepted.c.id)
    .values(
        status=SurveyStatus.sent,
        sent_at=_accepted.c.sent_at,
        expires_at=Survey.expires_at + _waited,
        reminder_due_at=Survey.reminder_due_at + _waited,
    )
    .returning(Survey.id),
    _as_it_is,
)
