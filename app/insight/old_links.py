"""How long links that were sent before a change of the secret key are still used."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.messaging.models import Message
from app.referrals.models import Code
from app.surveys.models import Survey

UNSUBSCRIBE_DAYS = 60
"""An unsubscribe link must work this long: 60 days in Canada (CASL), 30 in the United States."""


async def last_old_link(session: AsyncSession, before: datetime, *, now: datetime) -> datetime | None:
    """Until when a link that was made before a time is used; None where none is after `now`.

    Surveys end with their expiry, a referrer's page with the code's, unsubscribe links and the
    providers' callbacks `UNSUBSCRIBE_DAYS` after the message.
    """
    surveys = await session.scalar(
        select(func.max(Survey.expires_at)).where(Survey.queued_at < before, Survey.expires_at > now)
    )
    codes = await session.scalar(
        select(func.max(Code.expires_at)).where(Code.created_at < before, Code.expires_at > now)
    )
    sent = await session.scalar(select(func.max(Message.sent_at)).where(Message.sent_at < before))
    unsubscribe = None if sent is None else sent + timedelta(days=UNSUBSCRIBE_DAYS)
    ends = [each for each in (surveys, codes, unsubscribe) if each is not None and each > now]
    return max(ends, default=None)
