"""Close surveys that nobody answered in time."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.base.tokens import Tokens
from app.messaging.models import Message
from app.messaging.queue import cancel_messages
from app.surveys.claim import BATCH
from app.surveys.models import Survey
from app.surveys.rules import OPEN, SurveyStatus
from app.surveys.templates import REMINDER, SURVEY


def is_over(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """Condition: the survey can no longer be answered at `now`."""
    return and_(Survey.status.in_(OPEN), Survey.expires_at <= now)


def over_messages(now: datetime) -> dict[str, ColumnElement[bool]]:
    """Conditions: the message is about a survey that is over at `now`, by reason."""
    is_about = Message.template.in_([SURVEY.name, REMINDER.name])
    about = select(Survey.id).where(Survey.brand_id == Message.brand_id, Survey.id == Message.subject_id)
    expired = or_(Survey.status == SurveyStatus.expired, is_over(now))
    return {
        "survey_expired": and_(is_about, about.where(expired).exists()),
        "survey_answered": and_(is_about, about.where(Survey.status == SurveyStatus.answered).exists()),
    }


async def expire_due(session: AsyncSession, _tokens: Tokens, brand_id: int, *, now: datetime) -> int:
    """Expire a batch of surveys and cancel their messages; returns how many."""
    over = (
        select(Survey.id)
        .where(Survey.brand_id == brand_id, is_over(now))
        .order_by(Survey.expires_at)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    ids = (await session.scalars(over)).all()
    await session.execute(
        update(Survey)
        .where(Survey.brand_id == brand_id, in_ids(Survey.id, ids))
        .values(status=SurveyStatus.expired, reminder_due_at=None)
    )
    await cancel_messages(session, brand_id, ids, [SURVEY, REMINDER], reason="expired")
    return len(ids)
