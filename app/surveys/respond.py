"""Record a response once; a promoter becomes a referrer in the same transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.base.outbox import Event, record_events
from app.base.tokens import Subject, Tokens
from app.base.touched import touch
from app.brands.find import ProgrammeInForce, read_terms
from app.brands.models import Brand, Shop
from app.brands.setup import read_brand, read_shop
from app.messaging.queue import cancel_messages
from app.referrals.issue import LoadedBrand, issue_offers
from app.referrals.new_codes import NewReferrer
from app.surveys.bursts import lock_network, suspect_others
from app.surveys.first_response import TAKE
from app.surveys.models import Response
from app.surveys.rules import Band, band_of
from app.surveys.suspicion_rules import Signs
from app.surveys.templates import REMINDER, SURVEY
from app.surveys.work_rules import WorkState


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
    subject: Subject,
    response: NewResponse,
    *,
    signs: Signs | None = None,
    now: datetime,
) -> ResponseOutcome:
    """Record the response to the survey of a link, stop its reminders, and issue an offer.

    One response per survey, also under concurrent calls. Until `change_minutes` after the first
    one a further response replaces it; a lowered score keeps its code. `now` is the wall clock.
    By `signs` a response may be suspected to be a machine's; it counts until the team decides.
    """
    survey = await _take(session, subject, response, signs, now=now)
    if survey is None:
        return ResponseOutcome.closed
    outcome = ResponseOutcome.recorded
    if survey.made is None:
        outcome = await _change(session, survey, response, signs, now=now)
        if outcome is ResponseOutcome.stands:
            return outcome
    if band_of(response.score) is Band.promoter:
        promoter = NewReferrer(survey.customer_id, survey.shop.id, survey.id, survey.trial)
        loaded = LoadedBrand(survey.in_force, {survey.shop.id: survey.shop})
        await issue_offers(session, tokens, survey.brand, [promoter], now=now, loaded=loaded)
    # After the referrer, as wherever rows of both are locked.
    await cancel_messages(session, survey.brand.id, [survey.id], [SURVEY, REMINDER], reason="answered")
    return outcome


@dataclass(frozen=True, slots=True)
class _TakenSurvey:
    """A survey that takes responses, locked so that these come one after the other."""

    brand: Brand
    shop: Shop
    in_force: ProgrammeInForce
    id: UUID
    customer_id: UUID
    made: UUID | None
    """The response that was inserted; None where there was one before."""
    trial: bool


async def _take(
    session: AsyncSession, subject: Subject, response: NewResponse, signs: Signs | None, *, now: datetime
) -> _TakenSurvey | None:
    """Insert the first response; None for a survey that is not sent or over, or of nobody."""
    network = None if signs is None else signs.network
    if network is not None:
        await lock_network(session, network)
    given: dict[str, object] = {
        "given_brand_id": subject.brand_id,
        "given_survey_id": subject.row_id,
        "given_response_id": new_id(),
        "given_score": response.score,
        "given_comment": response.comment,
        "given_testimonial_consent": response.testimonial_consent,
        "given_now": now,
        "given_is_fast": signs is not None and signs.is_fast,
        "given_network": network,
        "given_on_page": None if signs is None else signs.on_page,
    }
    row = await TAKE.first(session, **given)
    if row is None:
        return None
    if row.made is not None:
        await record_events(session, subject.brand_id, [Event("response.recorded", row.made, now)])
        if network is not None:
            await suspect_others(session, subject.brand_id, network, row.made, now=now)
    in_force = ProgrammeInForce(row.version, read_terms(row.terms), row.terms_id)
    brand, shop = read_brand(row.brand), read_shop(row.shop)
    return _TakenSurvey(brand, shop, in_force, subject.row_id, row.customer_id, row.made, row.trial)


def _opens(survey: _TakenSurvey, response: NewResponse) -> bool:
    """Whether it waits for the team though nobody is unhappy: a passive's with a comment."""
    is_passive = band_of(response.score) is Band.passive and response.comment is not None
    return is_passive and survey.brand.opens_passives and not survey.trial


async def _change(
    session: AsyncSession,
    survey: _TakenSurvey,
    response: NewResponse,
    signs: Signs | None,
    *,
    now: datetime,
) -> ResponseOutcome:
    """Replace the survey's response while `change_minutes` last."""
    present = (
        await session.scalars(
            select(Response)
            .where(Response.brand_id == survey.brand.id, Response.survey_id == survey.id)
            .execution_options(populate_existing=True)
        )
    ).one()
    minutes = survey.in_force.programme.survey.change_minutes
    if now >= present.first_answered_at + timedelta(minutes=minutes):
        return ResponseOutcome.stands
    if response != NewResponse(present.score, present.comment, present.testimonial_consent):
        present.score, present.comment = response.score, response.comment
        present.testimonial_consent = response.testimonial_consent
        present.answered_at = now
        if present.state is not None:
            # What the team decided was about other words.
            present.state = None
            present.version += 1
        if _opens(survey, response):
            present.state = WorkState.open
        present.replying = False
        if signs is not None and not signs.is_fast:
            # Whoever changes it has read the page.
            present.suspicion = present.evidence = present.network = None
        present.changes += 1
        await session.flush()
        await touch(session, survey.brand.id, "responses", [present.id])
    return ResponseOutcome.changed
