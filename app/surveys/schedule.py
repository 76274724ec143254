"""Plan one survey per order, and plan it anew whenever a fact about the order comes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import and_, case, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids, recordset
from app.base.ids import new_id
from app.base.tokens import Tokens
from app.brands.find import load_programme
from app.brands.models import Brand
from app.messaging.queue import cancel_messages
from app.surveys import rules
from app.surveys.gather import Gathered, gather_inputs
from app.surveys.models import Survey
from app.surveys.rules import Planned, Skipped, SkipReason, SurveyStatus
from app.surveys.templates import REMINDER, SURVEY

_WRITTEN = [
    Survey.brand_id,
    Survey.id,
    Survey.order_id,
    Survey.shop_id,
    Survey.customer_id,
    Survey.programme_version,
    Survey.status,
    Survey.reason,
    Survey.channel,
    Survey.triggered_at,
    Survey.due_at,
    Survey.deferred_reason,
    Survey.reminders_sent,
]
_REPLANNED = (
    "customer_id",
    "programme_version",
    "status",
    "reason",
    "channel",
    "triggered_at",
    "due_at",
    "deferred_reason",
)


async def schedule_surveys(
    session: AsyncSession, tokens: Tokens, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Give each of these orders its survey row, planned or skipped, as the facts stand now.

    A fold: call it after any change of an order's facts, as often as you like; the facts' order cannot matter. What was sent,
    answered or expired stays; of the skipped only those are planned anew that a fact can undo (`rules.RECONSIDERED`). One row per
    order holds under concurrent calls. A survey that is out already is not followed up once its order is cancelled or refunded.
    """
    if not order_ids:
        return
    gathered = await gather_inputs(session, tokens, brand, set(order_ids))
    terms = await load_programme(session, brand.id)
    # In the order of ids, so that two transactions with the same orders wait in a line and not for each other.
    ordered = [gathered[order_id] for order_id in sorted(gathered)]
    plans = [rules.plan(one.fact, terms.programme, now=now) for one in ordered]
    await _write(
        session, [_row(brand.id, one, plan, terms.version) for one, plan in zip(ordered, plans, strict=True)]
    )
    await _stop_following_up(session, brand.id, ordered)
    if any(isinstance(plan, Planned) and plan.due_at is not None and plan.due_at <= now for plan in plans):
        await due.wake(session, "surveys")


async def reconsider(
    session: AsyncSession, tokens: Tokens, brand: Brand, customer_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Plan anew what was skipped for want of an address or a consent that these customers may have given since."""
    found = await session.scalars(
        select(Survey.order_id).where(
            Survey.brand_id == brand.id,
            in_ids(Survey.customer_id, customer_ids),
            Survey.status == SurveyStatus.skipped,
            Survey.reason.in_([SkipReason.no_address, SkipReason.no_consent]),
        )
    )
    await schedule_surveys(session, tokens, brand, found.all(), now=now)


async def _write(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    given = recordset(rows, _WRITTEN)
    fresh = insert(Survey).from_select(
        [each.key for each in _WRITTEN], select(given).order_by(given.c.order_id)
    )
    # A deferral stands until the facts say otherwise, or a repeated report would put the survey before the others again.
    keeps = and_(
        Survey.status == SurveyStatus.planned,
        Survey.deferred_reason.is_not(None),
        Survey.triggered_at.is_not_distinct_from(fresh.excluded.triggered_at),
        Survey.due_at > fresh.excluded.due_at,
    )
    changed: dict[str, Any] = {name: fresh.excluded[name] for name in _REPLANNED}
    stands = and_(keeps, fresh.excluded.status == SurveyStatus.planned)
    for kept in (Survey.due_at, Survey.deferred_reason):
        changed[kept.key] = case((stands, kept), else_=fresh.excluded[kept.key])
    await session.execute(
        fresh.on_conflict_do_update(
            index_elements=["brand_id", "order_id"],
            set_=changed,
            where=or_(
                Survey.status == SurveyStatus.planned,
                and_(Survey.status == SurveyStatus.skipped, Survey.reason.in_(sorted(rules.RECONSIDERED))),
            ),
        )
    )


def _row(brand_id: int, gathered: Gathered, plan: Planned | Skipped, version: int) -> dict[str, Any]:
    row = {
        "brand_id": brand_id,
        "id": new_id(),
        "order_id": gathered.order.id,
        "shop_id": gathered.order.shop_id,
        "customer_id": gathered.order.customer_id,
        "programme_version": version,
        "reminders_sent": 0,
    }
    match plan:
        case Planned():
            return row | {
                "status": SurveyStatus.planned,
                "channel": plan.channel,
                "triggered_at": plan.triggered_at,
                "due_at": plan.due_at,
                "deferred_reason": plan.deferred,
            }
        case Skipped():
            return row | {"status": SurveyStatus.skipped, "reason": plan.reason}
        case _:
            assert_never(plan)


async def _stop_following_up(session: AsyncSession, brand_id: int, gathered: Iterable[Gathered]) -> None:
    off = [one.order.id for one in gathered if one.fact.cancelled or one.fact.refunded]
    if not off:
        return
    locked = select(Survey.id).where(
        Survey.brand_id == brand_id, in_ids(Survey.order_id, off), Survey.status == SurveyStatus.sent
    )
    ids = (await session.scalars(locked.order_by(Survey.id).with_for_update(key_share=True))).all()
    await session.execute(
        update(Survey).where(Survey.brand_id == brand_id, in_ids(Survey.id, ids)).values(reminder_due_at=None)
    )
    await cancel_messages(session, brand_id, ids, [SURVEY, REMINDER], reason="order_taken_back")
