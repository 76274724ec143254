"""Until when a former secret key is needed: the last link that was made with it."""

from datetime import timedelta

from sqlalchemy import update

from app.insight.old_links import UNSUBSCRIBE_DAYS, last_old_link
from app.messaging.models import Message
from app.surveys.models import Survey
from tests.support.constants import NOW
from tests.support.factories.messages import queue
from tests.support.factories.rows import START, Rows


async def test_without_an_old_link_no_former_key_is_needed(session, brand, shop):
    assert await last_old_link(session, NOW, now=NOW) is None


async def test_a_former_key_is_needed_until_the_last_survey_code_or_unsubscription(
    context, session, brand, shop
):
    await queue(context, brand, shop)
    await session.execute(update(Message).values(sent_at=NOW))
    later = NOW + timedelta(hours=1)
    assert await last_old_link(session, later, now=later) == NOW + timedelta(days=UNSUBSCRIBE_DAYS)
    assert await last_old_link(session, NOW, now=later) is None, "sent at the change, not before it"
    rows = Rows(session, brand, shop)
    response = await rows.answer(10)
    end = NOW + timedelta(days=300)
    await session.execute(
        update(Survey).where(Survey.id == response.survey_id).values(queued_at=START, expires_at=end)
    )
    assert await last_old_link(session, START + timedelta(days=900), now=NOW) == end
    assert await last_old_link(session, START, now=NOW) is None
    code = await rows.code(response.customer_id, response.survey_id)
    code.expires_at, code.created_at = end + timedelta(days=1), START
    await session.flush()
    assert await last_old_link(session, START + timedelta(days=1), now=NOW) == end + timedelta(days=1)
