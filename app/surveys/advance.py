"""Send what is due, remind of it, let it expire. Every batch looks again before anything is queued."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.base.batch import in_ids, recordset
from app.base.due import Sweep
from app.base.tokens import Tokens
from app.base.web.context import AppContext
from app.brands.find import load_brand, load_programme
from app.brands.models import Brand
from app.brands.programme import Channel, Programme
from app.brands.rules import zone_or
from app.customers.models import Customer
from app.messaging.queue import NewMessage, cancel_messages, queue_messages
from app.messaging.templates import TemplateSpec
from app.surveys import rules
from app.surveys.gather import Gathered, gather_inputs, survey_params
from app.surveys.models import Survey
from app.surveys.rules import Deferred, Send, Skipped, SurveyStatus
from app.surveys.templates import REMINDER, SURVEY

BATCH = 500
"""Rows a transaction takes at most: few enough that a door waiting for one of their customers does not notice."""
_DAY_LOCK = 0x5D4A
"""Advisory lock, by brand: with `max_per_day` two sweeps must not both count the same free places."""


@dataclass(frozen=True, slots=True)
class _Day:
    """The brand's day that `now` is in."""

    next_midnight: datetime
    places: int | None
    """How many surveys may still go out today; None for any number."""


def sweep(context: AppContext) -> Sweep:
    """The room's sweep: due surveys, due reminders, expiry, brand by brand."""

    async def brands(now: datetime) -> Sequence[int]:
        async with context.sessions() as session:
            waiting = exists().where(Survey.brand_id == Brand.id)
            kinds = (_is_due(now), _is_reminder_due(now), _is_over(now))
            found = await session.scalars(
                select(Brand.id).where(or_(*(waiting.where(kind) for kind in kinds))).order_by(Brand.id)
            )
            return found.all()

    async def work(brand_id: int, now: datetime) -> int:
        moved = 0
        for step in (send_due, remind_due, expire_due):
            async with context.sessions.begin() as session:
                moved += await step(session, context.tokens, await load_brand(session, brand_id), now=now)
        return moved

    return Sweep("surveys", brands, work)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(Survey.status == SurveyStatus.planned, Survey.due_at <= now)


def _is_reminder_due(now: datetime) -> ColumnElement[bool]:
    return and_(Survey.status == SurveyStatus.sent, Survey.reminder_due_at <= now)


def _is_over(now: datetime) -> ColumnElement[bool]:
    return and_(Survey.status == SurveyStatus.sent, Survey.expires_at <= now)


async def send_due(session: AsyncSession, tokens: Tokens, brand: Brand, *, now: datetime) -> int:
    """Send, put off or skip a batch of due surveys; answers how many it decided.

    One survey a customer in `recontact_days` and `max_per_day` a brand hold under concurrent calls: customers are locked while
    their latest survey is read, the brand's day while its places are counted.
    """
    programme = (await load_programme(session, brand.id)).programme
    day = await _look_at_day(session, brand, programme, now=now)
    surveys = await _claim(session, brand.id, _is_due(now), Survey.due_at)
    if not surveys:
        return 0
    facts = await gather_inputs(session, tokens, brand, [survey.order_id for survey in surveys])
    last_sent = await _last_sent(
        session, brand.id, [survey.customer_id for survey in surveys if survey.customer_id]
    )
    places = day.places
    changes: list[dict[str, Any]] = []
    wanted: list[NewMessage] = []
    for survey in surveys:
        one = facts[survey.order_id]
        decision = rules.recheck(
            one.fact,
            programme,
            now=now,
            last_sent_at=last_sent.get(survey.customer_id) if survey.customer_id else None,
            next_day=day.next_midnight,
            is_day_full=places is not None and places <= 0,
        )
        changes.append(_change(survey, decision, programme, now=now))
        if isinstance(decision, Send) and survey.customer_id:
            wanted.append(_message(survey, survey.customer_id, one, SURVEY, decision.channel, now=now))
            last_sent[survey.customer_id] = now
            places = None if places is None else places - 1
    await _write(session, brand.id, changes)
    await queue_messages(session, brand.id, wanted)
    return len(surveys)


async def remind_due(session: AsyncSession, tokens: Tokens, brand: Brand, *, now: datetime) -> int:
    """Remind of a batch of unanswered surveys, once more each, or stop reminding; answers how many it decided."""
    surveys = await _claim(session, brand.id, _is_reminder_due(now), Survey.reminder_due_at)
    if not surveys:
        return 0
    programme = (await load_programme(session, brand.id)).programme
    facts = await gather_inputs(session, tokens, brand, [survey.order_id for survey in surveys])
    changes: list[dict[str, Any]] = []
    wanted: list[NewMessage] = []
    for survey in surveys:
        if survey.channel is None or survey.expires_at is None or survey.customer_id is None:
            raise RuntimeError("a sent survey has a customer, a channel and an end")
        one, sent = facts[survey.order_id], survey.reminders_sent
        decision = rules.recheck_reminder(
            one.fact,
            programme,
            channel=survey.channel,
            reminders_sent=sent,
            expires_at=survey.expires_at,
            now=now,
        )
        change = _as_it_stands(survey) | {
            "reminder_due_at": decision.until if isinstance(decision, Deferred) else None
        }
        if isinstance(decision, Send):
            wanted.append(
                _message(
                    survey,
                    survey.customer_id,
                    one,
                    REMINDER,
                    decision.channel,
                    now=now,
                    step=sent + 1,
                )
            )
            change |= {
                "reminders_sent": sent + 1,
                "reminder_due_at": _next_reminder(programme, sent + 1, now=now),
            }
        changes.append(change)
    await _write(session, brand.id, changes)
    await queue_messages(session, brand.id, wanted)
    return len(surveys)


async def expire_due(session: AsyncSession, _tokens: Tokens, brand: Brand, *, now: datetime) -> int:
    """Close a batch of surveys that nobody answered in time; answers how many."""
    over = (
        select(Survey.id)
        .where(Survey.brand_id == brand.id, _is_over(now))
        .order_by(Survey.expires_at)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    ids = (await session.scalars(over)).all()
    await session.execute(
        update(Survey)
        .where(Survey.brand_id == brand.id, in_ids(Survey.id, ids))
        .values(status=SurveyStatus.expired, reminder_due_at=None)
    )
    await cancel_messages(session, brand.id, ids, [SURVEY, REMINDER], reason="expired")
    return len(ids)


async def _claim(
    session: AsyncSession,
    brand_id: int,
    is_due: ColumnElement[bool],
    due_at: InstrumentedAttribute[datetime | None],
) -> Sequence[Survey]:
    """A batch of due surveys, locked with their customers, in the order they fell due.

    Customers come before surveys, as everywhere. Neither lock waits, so whatever is held meanwhile cannot be part of a deadlock;
    what another transaction holds is left to it, and read again here once the customers are ours.
    """
    customers = (
        select(Survey.id)
        .join(Customer, and_(Customer.brand_id == Survey.brand_id, Customer.id == Survey.customer_id))
        .where(Survey.brand_id == brand_id, is_due)
        .order_by(due_at)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True, of=Customer)
    )
    ids = (await session.scalars(customers)).all()
    if not ids:
        return []
    surveys = (
        select(Survey)
        .where(Survey.brand_id == brand_id, in_ids(Survey.id, ids), is_due)
        .order_by(due_at, Survey.id)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(surveys)).all()


async def _last_sent(
    session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]
) -> dict[UUID, datetime | None]:
    """When each of these customers was last asked."""
    rows = await session.execute(
        select(Survey.customer_id, func.max(Survey.sent_at))
        .where(
            Survey.brand_id == brand_id, in_ids(Survey.customer_id, customer_ids), Survey.sent_at.is_not(None)
        )
        .group_by(Survey.customer_id)
    )
    return {customer_id: sent_at for customer_id, sent_at in rows if customer_id is not None}


async def _look_at_day(session: AsyncSession, brand: Brand, programme: Programme, *, now: datetime) -> _Day:
    zone = zone_or(brand.time_zone, "UTC")
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    # By the clock on the wall: a day of 23 or 25 hours ends at its own midnight.
    next_midnight = (midnight + timedelta(days=1)).astimezone(UTC)
    most = programme.survey.max_per_day
    if most is None:
        return _Day(next_midnight, None)
    await session.execute(select(func.pg_advisory_xact_lock(_DAY_LOCK, brand.id)))
    out = await session.scalar(
        select(func.count()).where(
            Survey.brand_id == brand.id, Survey.sent_at >= midnight, Survey.sent_at < next_midnight
        )
    )
    return _Day(next_midnight, most - (out or 0))


def _change(
    survey: Survey, decision: Send | Deferred | Skipped, programme: Programme, *, now: datetime
) -> dict[str, Any]:
    """The survey's row after a decision."""
    row = _as_it_stands(survey)
    match decision:
        case Send():
            return row | {
                "status": SurveyStatus.sent,
                "channel": decision.channel,
                "sent_at": now,
                "expires_at": now + timedelta(days=programme.survey.expires_days),
                "reminder_due_at": _next_reminder(programme, 0, now=now),
            }
        case Deferred():
            return row | {"due_at": decision.until, "deferred_reason": decision.why}
        case Skipped():
            return row | {"status": SurveyStatus.skipped, "reason": decision.reason}
        case _:
            assert_never(decision)


_CHANGED = (
    Survey.status,
    Survey.reason,
    Survey.channel,
    Survey.due_at,
    Survey.deferred_reason,
    Survey.sent_at,
    Survey.expires_at,
    Survey.reminders_sent,
    Survey.reminder_due_at,
)


def _as_it_stands(survey: Survey) -> dict[str, Any]:
    return {"id": survey.id} | {each.key: getattr(survey, each.key) for each in _CHANGED}


def _next_reminder(programme: Programme, sent: int, *, now: datetime) -> datetime | None:
    survey = programme.survey
    return now + timedelta(hours=survey.reminder_after_hours) if sent < survey.max_reminders else None


def _message(
    survey: Survey,
    customer_id: UUID,
    gathered: Gathered,
    template: TemplateSpec,
    channel: Channel,
    *,
    now: datetime,
    step: int = 0,
) -> NewMessage:
    customer = gathered.fact.contact
    if customer is None:
        raise RuntimeError("rules send to nobody who cannot be reached")
    return NewMessage(
        template=template,
        subject_id=survey.id,
        customer_id=customer_id,
        shop_id=survey.shop_id,
        channel=channel,
        address=customer.addresses[channel],
        locale=customer.locale or gathered.shop.locale,
        template_params=survey_params(gathered),
        due_at=now,
        step=step,
    )


async def _write(session: AsyncSession, brand_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    given = recordset(rows, [Survey.id, *_CHANGED])
    await session.execute(
        update(Survey)
        .where(Survey.brand_id == brand_id, Survey.id == given.c.id)
        .values({each.key: given.c[each.key] for each in _CHANGED})
        .execution_options(synchronize_session=False)
    )
