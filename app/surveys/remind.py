"""Remind customers who did not answer, a few times per survey at most."""

from datetime import datetime

from sqlalchemy import and_
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.tokens import Tokens
from app.brands.setup import load_setup
from app.messaging.queue import NewMessage, queue_messages
from app.surveys.claim import NOW, DueSurveys, SurveyState, next_reminder_at, state_of, write_states
from app.surveys.gather import gather_surveys, survey_message
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from app.surveys.schedule_rules import Deferred, Send, recheck_reminder
from app.surveys.templates import REMINDER

is_reminder_due = and_(Survey.status == SurveyStatus.sent, Survey.reminder_due_at <= NOW)
"""Condition: the survey's next reminder is to be sent."""
_DUE = DueSurveys(is_reminder_due, Survey.reminder_due_at)


async def remind_due(session: AsyncSession, tokens: Tokens, brand_id: int, *, now: datetime) -> int:
    """Queue, defer or drop the next reminder of a batch of surveys; returns how many were decided.

    Raises `RuntimeError` for a sent survey without customer, channel or end.
    """
    surveys = await _DUE.claim(session, brand_id, now=now)
    if not surveys:
        return 0
    setup = await load_setup(session, brand_id)
    programme = setup.in_force.programme
    inputs = await gather_surveys(session, tokens, setup, surveys)
    states: list[SurveyState] = []
    messages: list[NewMessage] = []
    for survey in surveys:
        if survey.channel is None or survey.expires_at is None:
            raise RuntimeError("a sent survey has a channel and an end")
        gathered, number = inputs[survey.id], survey.reminders_sent + 1
        decision = recheck_reminder(
            gathered.fact,
            programme,
            channel=survey.channel,
            reminders_sent=survey.reminders_sent,
            expires_at=survey.expires_at,
            now=now,
        )
        state = state_of(survey)._replace(
            reminder_due_at=decision.until if isinstance(decision, Deferred) else None
        )
        if isinstance(decision, Send):
            messages.append(
                survey_message(survey, gathered, REMINDER, decision.channel, step=number, now=now)
            )
            next_at = next_reminder_at(programme, number, now=now)
            state = state._replace(reminders_sent=number, reminder_due_at=next_at)
        states.append(state)
    await write_states(session, brand_id, states)
    await queue_messages(session, brand_id, messages)
    return len(surveys)
