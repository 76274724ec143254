"""Send due surveys: check each once more, then queue its message, defer it or skip it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never
from uuid import UUID

from sqlalchemy import DateTime, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_bound_ids
from app.base.precedence import in_pieces
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.base.turns import Busy
from app.brands.models import Brand
from app.brands.programme import Channel, Programme
from app.brands.rules import zone_or
from app.brands.setup import load_setup
from app.messaging.queue import NewMessage, queue_messages
from app.surveys.claim import (
    NOW,
    DueSurvey,
    DueSurveys,
    SurveyState,
    deferrals_of,
    next_reminder_at,
    state_of,
    write_states,
)
from app.surveys.gather import gather_surveys, survey_message
from app.surveys.models import StoredDeferral, Survey
from app.surveys.rules import SurveyStatus
from app.surveys.schedule_rules import Deferred, Send, Skipped, recheck
from app.surveys.templates import SURVEY

_DAY_LOCK = 0x5D4A
"""Class of a brand's advisory lock for `max_per_day`: one sweep at a time counts free places."""


@dataclass(frozen=True, slots=True)
class _Day:
    """The brand's day that `now` is in."""

    next_midnight: datetime
    places: int | None
    """How many surveys may still be queued today; None for any number."""


is_due = and_(Survey.status == SurveyStatus.planned, Survey.due_at <= NOW)
"""Condition: the survey is to be sent."""
_DUE = DueSurveys(is_due, Survey.due_at, with_last=True)


async def send_due(session: AsyncSession, tokens: Tokens, brand_id: int, *, now: datetime) -> int:
    """Queue, defer or skip a batch of due surveys; returns how many were decided.

    At most one survey per customer in `recontact_days` and `max_per_day` per brand, trials aside;
    both hold under concurrent calls: customers are locked while their latest survey is read, the
    brand's day while its places are counted. Raises `Busy` where another process counts them.
    """
    setup = await load_setup(session, brand_id)
    brand, programme = setup.brand, setup.in_force.programme
    day = await _open_day(session, brand, programme, now=now)
    surveys = await _DUE.claim(session, brand.id, now=now)
    if not surveys:
        return 0
    inputs = await gather_surveys(session, tokens, setup, surveys)
    last_queued = {survey.customer_id: survey.last_queued_at for survey in surveys}
    places = day.places
    states: list[SurveyState] = []
    messages: list[NewMessage] = []
    queued: dict[Channel, list[UUID]] = defaultdict(list)
    async for survey in in_pieces(surveys):
        gathered, customer_id = inputs[survey.id], survey.customer_id
        decision = recheck(
            gathered.fact,
            programme,
            now=now,
            last_queued_at=last_queued[customer_id],
            next_day=day.next_midnight,
            is_day_full=places is not None and places <= 0,
        )
        if not isinstance(decision, Send):
            states.append(_put_off(survey, decision, now=now))
            continue
        queued[decision.channel].append(survey.id)
        if customer_id:
            messages.append(survey_message(survey, gathered, SURVEY, decision.channel, now=now))
            if survey.trial:
                continue
            last_queued[customer_id] = now
            places = None if places is None else places - 1
    if states:
        await write_states(session, brand.id, states)
    for channel, ids in sorted(queued.items()):
        await _mark_queued(session, brand.id, channel, ids, programme, now=now)
    await queue_messages(session, brand.id, messages)
    return len(surveys)


async def _open_day(session: AsyncSession, brand: Brand, programme: Programme, *, now: datetime) -> _Day:
    zone = zone_or(brand.time_zone, "UTC")
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    # By local time: a day of 23 or 25 hours ends at its own midnight.
    next_midnight = (midnight + timedelta(days=1)).astimezone(UTC)
    max_per_day = programme.survey.max_per_day
    if max_per_day is None:
        return _Day(next_midnight, None)
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(_DAY_LOCK, brand.id))):
        raise Busy(brand.id)
    queued = await session.scalar(
        select(func.count()).where(
            Survey.brand_id == brand.id,
            Survey.queued_at >= midnight,
            Survey.queued_at < next_midnight,
            Survey.trial.is_(False),
        )
    )
    return _Day(next_midnight, max_per_day - (queued or 0))


async def _mark_queued(
    session: AsyncSession,
    brand_id: int,
    channel: Channel,
    ids: Sequence[UUID],
    programme: Programme,
    *,
    now: datetime,
) -> None:
    await _QUEUED.run(
        session,
        of_brand=brand_id,
        ids=ids,
        by=channel,
        now=now,
        ends_at=now + timedelta(days=programme.survey.expires_days),
        reminds_at=next_reminder_at(programme, 0, now=now),
    )


_AT = DateTime(timezone=True)
# What all of a batch have in common is bound once: as arrays it costs a fifth of the statement.
_QUEUED = Prepared(
    update(Survey)
    .where(Survey.brand_id == bindparam("of_brand"), in_bound_ids(Survey.id, "ids"))
    .values(
        status=SurveyStatus.queued,
        channel=bindparam("by", type_=Survey.channel.type),
        queued_at=NOW,
        expires_at=bindparam("ends_at", type_=_AT),
        reminder_due_at=bindparam("reminds_at", type_=_AT),
    ),
    tuple,
)


def _put_off(survey: DueSurvey, decision: Deferred | Skipped, *, now: datetime) -> SurveyState:
    match decision:
        case Deferred():
            deferral = StoredDeferral(
                reason=decision.why.value, until=decision.until.isoformat(), at=now.isoformat()
            )
            return state_of(survey)._replace(
                due_at=decision.until,
                deferred_reason=decision.why,
                deferrals=[*deferrals_of(survey), deferral],
            )
        case Skipped():
            return state_of(survey)._replace(status=SurveyStatus.skipped, reason=decision.reason)
        case _:
            assert_never(decision)
