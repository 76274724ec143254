"""Record a response once; a promoter becomes a referrer in the same transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.outbox import Event, record_events
from app.base.tokens import Tokens
from app.brands.find import load_programme
from app.brands.models import Brand
from app.customers.models import Customer
from app.messaging.queue import cancel_messages
from app.referrals.issue import NewReferrer, issue_offers
from app.surveys.models import Response, Survey
from app.surveys.rules import OPEN, Band, SurveyStatus, band_of
from app.surveys.templates import REMINDER, SURVEY


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A score of 0-10, and perhaps the reason, in clean text."""

    score: int
    comment: str | None = None
    testimonial_consent: bool = False


class ResponseOutcome(StrEnum):
    """What was done with a response."""

    recorded = "recorded"
    changed = "changed"
    """It replaced the one before, or repeats it."""
    stands = "stands"
    """The one before can no longer be changed; nothing was written."""
    closed = "closed"
    """The survey takes no response: not sent or over; nothing was written."""


async def record_response(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    survey_id: UUID,
    response: NewResponse,
    *,
    now: datetime,
) -> ResponseOutcome:
    """Record the response to a survey, stop its reminders, and issue a promoter's offer.

    One response per survey, also under concurrent calls. Until `change_minutes` after the first
    one a further response replaces it; a lowered score keeps its code. `now` is the wall clock.
    """
    survey = await _lock(session, brand.id, survey_id)
    if survey is None or survey.customer_id is None or survey.channel is None:
        return ResponseOutcome.closed
    outcome = await _write(session, survey, survey.customer_id, response, now=now)
    if outcome is ResponseOutcome.stands:
        return outcome
    survey.status = SurveyStatus.answered
    # The message arrived, though its acceptance may not be recorded yet.
    survey.sent_at = survey.sent_at or survey.queued_at
    survey.reminder_due_at = None
    await session.flush()
    if band_of(response.score) is Band.promoter:
        await issue_offers(
            session, tokens, brand, [NewReferrer(survey.customer_id, survey.shop_id, survey.id)], now=now
        )
    await cancel_messages(session, brand.id, [survey.id], [SURVEY, REMINDER], reason="answered")
    return outcome


async def _lock(session: AsyncSession, brand_id: int, survey_id: UUID) -> Survey | None:
    """The survey if it takes responses, locked so that these come one after the other."""
    # Customers before surveys, as everywhere: queueing a message to the customer takes this lock.
    await session.execute(
        select(Customer.id)
        .join(Survey, (Survey.brand_id == Customer.brand_id) & (Survey.customer_id == Customer.id))
        .where(Survey.brand_id == brand_id, Survey.id == survey_id)
        .with_for_update(read=True, key_share=True, of=Customer)
    )
    return (
        await session.scalars(
            select(Survey)
            .where(
                Survey.brand_id == brand_id,
                Survey.id == survey_id,
                Survey.status.in_([*OPEN, SurveyStatus.answered]),
            )
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()


async def _write(
    session: AsyncSession, survey: Survey, customer_id: UUID, response: NewResponse, *, now: datetime
) -> ResponseOutcome:
    """Insert the response, or change the one that is there."""
    made = await session.scalar(
        insert(Response)
        .values(
            brand_id=survey.brand_id,
            survey_id=survey.id,
            order_id=survey.order_id,
            customer_id=customer_id,
            channel=survey.channel,
            answered_at=now,
            first_answered_at=now,
            changes=0,
            score=response.score,
            comment=response.comment,
            testimonial_consent=response.testimonial_consent,
        )
        .on_conflict_do_nothing(index_elements=["brand_id", "survey_id"])
        .returning(Response.id)
    )
    if made is not None:
        await record_events(session, survey.brand_id, [Event("response.recorded", made, now)])
        return ResponseOutcome.recorded
    return await _change(session, survey, response, now=now)


async def _change(
    session: AsyncSession, survey: Survey, response: NewResponse, *, now: datetime
) -> ResponseOutcome:
    """Replace the survey's response while `change_minutes` last."""
    present = (
        await session.scalars(
            select(Response)
            .where(Response.brand_id == survey.brand_id, Response.survey_id == survey.id)
            .execution_options(populate_existing=True)
        )
    ).one()
    terms = await load_programme(session, survey.brand_id)
    if now >= present.first_answered_at + timedelta(minutes=terms.programme.survey.change_minutes):
        return ResponseOutcome.stands
    if response != NewResponse(present.score, present.comment, present.testimonial_consent):
        present.score, present.comment = response.score, response.comment
        present.testimonial_consent = response.testimonial_consent
        present.answered_at = now
        present.changes += 1
    return ResponseOutcome.changed
