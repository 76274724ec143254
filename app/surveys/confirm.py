"""Mark queued surveys as sent whose messages were accepted, and that nobody marked yet.

Mostly that is done where the acceptance is recorded (`app.surveys.accepted`). What remains is a
survey that another transaction had locked at that moment, and a message of which a provider's event
has proved the acceptance. A survey is `sent` when its message has `sent_at`. Nothing that a
customer can do depends on it: pages take responses to queued surveys too, because a message may
arrive before its acceptance is recorded. A survey whose message fails stays queued until it
expires.
"""

from datetime import datetime

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.base.touched import touch
from app.messaging.models import Message
from app.surveys.accepted import marked_sent, record_sent
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
    """Mark a batch of queued surveys as sent, at the time of acceptance; returns how many."""
    confirmed = await _CONFIRM.all(session, of_brand=brand_id)
    await touch(session, brand_id, "surveys", confirmed)
    await record_sent(session, brand_id, confirmed, now=now)
    return len(confirmed)


_CONFIRM = marked_sent(
    select(Survey.id, _accepted_at.label("sent_at"))
    .where(Survey.brand_id == bindparam("of_brand"), is_accepted)
    .order_by(Survey.id)
    .limit(BATCH)
    .with_for_update(key_share=True, skip_locked=True)
    .cte("accepted")
)
