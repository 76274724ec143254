"""Plan one survey per cause, and plan it again when a fact about it changes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, bindparam, case, literal, or_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import arrays_of, arrays_of_tuples, bound_recordset, constant, in_ids
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.brands.find import load_programme
from app.brands.models import Brand, Shop
from app.messaging.queue import cancel_messages
from app.orders.models import Order
from app.surveys.gather import Gathered, Occasion, gather_occasions, gather_orders, occasion_of
from app.surveys.models import Survey
from app.surveys.rules import (
    OF_THE_ORDER,
    OPEN,
    RECONSIDERED,
    SkipReason,
    SurveyCause,
    SurveyStatus,
)
from app.surveys.schedule_rules import Planned, Skipped, plan
from app.surveys.templates import REMINDER, SURVEY

SWEEP_NAME = "surveys"
_WRITTEN = [
    Survey.id,
    Survey.cause_kind,
    Survey.cause_id,
    Survey.shop_id,
    Survey.customer_id,
    Survey.programme_version,
    Survey.status,
    Survey.reason,
    Survey.channel,
    Survey.triggered_at,
    Survey.due_at,
    Survey.deferred_reason,
    Survey.trial,
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
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    order_ids: Sequence[UUID],
    *,
    now: datetime,
    shops: Mapping[UUID, Shop] | None = None,
) -> None:
    """Plan or skip the one survey of each of these orders, as the facts are now.

    Idempotent: call it after any change of an order's facts, in any order and as often as wanted. A
    survey that is queued, sent, answered or expired is not changed; of the skipped only those are
    planned again that a fact can undo (`RECONSIDERED`, `OF_THE_ORDER`). One row per order holds
    under concurrent calls. Reminders of an open survey stop once its order is cancelled or
    refunded. `shops` are all of the brand; without them they are read here.
    """
    if not order_ids:
        return
    gathered = await gather_orders(session, tokens, brand, set(order_ids), shops)
    await _plan(session, brand, list(gathered.values()), now=now)
    await _stop_reminders(session, brand.id, gathered.values())


async def skip_history(session: AsyncSession, brand_id: int, order_ids: Sequence[UUID]) -> None:
    """Skip the surveys of these orders from before the start, as `schedule_surveys` would.

    Nothing about them need be read, since nothing about them matters.
    """
    if not order_ids:
        return
    terms = await load_programme(session, brand_id)
    rows = [(new_id(), each) for each in order_ids]
    given = arrays_of_tuples(rows, [Survey.id, Survey.order_id])
    await _SKIP_HISTORY.run(session, of_brand=brand_id, in_force=terms.version, **given)


def _skipping_history() -> Insert:
    """The statement that writes these skips."""
    given = bound_recordset([Survey.id, Survey.order_id])
    of_brand = bindparam("of_brand", type_=Integer)
    fixed = {
        "cause_kind": constant(SurveyCause.order, Survey.cause_kind.type),
        "programme_version": bindparam("in_force", type_=Integer),
        "status": constant(SurveyStatus.skipped, Survey.status.type),
        "reason": constant(SkipReason.excluded, Survey.reason.type),
        "reminders_sent": constant(0),
        "trial": Order.trial,
    }
    of_order = {"order_id": Order.id, "shop_id": Order.shop_id, "customer_id": Order.customer_id}
    rows = (
        select(
            of_brand,
            given.c.id,
            given.c.order_id.label("cause_id"),
            *of_order.values(),
            *fixed.values(),
        )
        .join_from(given, Order, (Order.brand_id == of_brand) & (Order.id == given.c.order_id))
        .order_by(given.c.order_id)
    )
    names = ["brand_id", "id", "cause_id", *of_order, *fixed]
    return insert(Survey).from_select(names, rows, include_defaults=False).on_conflict_do_nothing()


_SKIP_HISTORY = Prepared(_skipping_history(), tuple)


async def plan_survey(
    session: AsyncSession, tokens: Tokens, brand: Brand, occasion: Occasion, *, now: datetime
) -> None:
    """Plan or skip the one survey about an occasion, due `delay_hours` after it.

    Idempotent by the occasion's id; at most one row holds under concurrent calls. Raises `KeyError`
    for a shop that the brand does not have.
    """
    gathered = await gather_occasions(session, tokens, brand, [occasion])
    await _plan(session, brand, list(gathered.values()), now=now)


async def reconsider(
    session: AsyncSession, tokens: Tokens, brand: Brand, customer_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Plan surveys again that a new address, consent or refusal of these customers may change.

    Those are the planned ones, and those that were skipped for lack of an address or a consent.
    """
    found = await session.scalars(
        select(Survey).where(
            Survey.brand_id == brand.id,
            in_ids(Survey.customer_id, customer_ids),
            or_(
                Survey.status == SurveyStatus.planned,
                and_(
                    Survey.status == SurveyStatus.skipped,
                    Survey.reason.in_([SkipReason.no_address, SkipReason.no_consent]),
                ),
            ),
        )
    )
    surveys = found.all()
    await schedule_surveys(
        session, tokens, brand, [it.order_id for it in surveys if it.order_id is not None], now=now
    )
    occasions = [occasion_of(survey) for survey in surveys if survey.order_id is None]
    if occasions:
        gathered = await gather_occasions(session, tokens, brand, occasions)
        await _plan(session, brand, list(gathered.values()), now=now)


async def _plan(session: AsyncSession, brand: Brand, gathered: Sequence[Gathered], *, now: datetime) -> None:
    """Write each cause's plan; wake the sweep where one is due already."""
    terms = await load_programme(session, brand.id)
    plans = [plan(it.fact, terms.programme, now=now) for it in gathered]
    rows = [_row(it, plan, terms.version) for it, plan in zip(gathered, plans, strict=True)]
    await _WRITE.run(session, of_brand=brand.id, **arrays_of(rows, _WRITTEN))
    if any(isinstance(plan, Planned) and plan.due_at is not None and plan.due_at <= now for plan in plans):
        await due.wake(session, SWEEP_NAME)


def _writing() -> Insert:
    """The statement that writes these plans."""
    given = bound_recordset(_WRITTEN)
    values = {
        "brand_id": bindparam("of_brand", type_=Integer),
        **given.c,
        "order_id": case((given.c.cause_kind == SurveyCause.order, given.c.cause_id)),
        "reminders_sent": literal(0, Integer),
    }
    # In the order of the key, so that two transactions with the same causes do not deadlock.
    fresh = insert(Survey).from_select(
        [*values],
        select(*values.values()).order_by(given.c.cause_kind, given.c.cause_id),
        include_defaults=False,
    )
    planned = constant(SurveyStatus.planned, Survey.status.type)
    skipped = constant(SurveyStatus.skipped, Survey.status.type)
    # A deferral stays while the facts are the same, or a repeated report would undo it.
    keeps = and_(
        Survey.status == planned,
        Survey.deferred_reason.is_not(None),
        Survey.triggered_at.is_not_distinct_from(fresh.excluded.triggered_at),
        Survey.due_at > fresh.excluded.due_at,
    )
    changed: dict[str, Any] = {name: fresh.excluded[name] for name in _REPLANNED}
    stands = and_(keeps, fresh.excluded.status == planned)
    for kept in (Survey.due_at, Survey.deferred_reason):
        changed[kept.key] = case((stands, kept), else_=fresh.excluded[kept.key])
    return fresh.on_conflict_do_update(
        index_elements=["brand_id", "cause_kind", "cause_id"],
        set_=changed,
        where=or_(
            Survey.status == planned,
            and_(Survey.status == skipped, _may_change(fresh.excluded)),
        ),
    )


def _may_change(new: Any) -> ColumnElement[bool]:
    """Whether a skipped survey is decided anew; `new` is the row that would replace it."""

    def constants(reasons: Collection[SkipReason]) -> list[ColumnElement[Any]]:
        return [constant(reason, Survey.reason.type) for reason in sorted(reasons)]

    return or_(
        Survey.reason.in_(constants(RECONSIDERED)),
        new.reason.in_(constants(OF_THE_ORDER)),
        and_(
            Survey.reason.in_(constants(OF_THE_ORDER)),
            Survey.programme_version == new.programme_version,
        ),
    )


_WRITE = Prepared(_writing(), tuple)


def _row(gathered: Gathered, plan: Planned | Skipped, version: int) -> dict[str, object]:
    fact = gathered.fact
    row = {
        "id": new_id(),
        "cause_kind": fact.cause_kind,
        "cause_id": fact.cause_id,
        "shop_id": gathered.shop.id,
        "customer_id": gathered.customer_id,
        "programme_version": version,
        "trial": fact.trial,
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
            # An occasion's time is stored nowhere else.
            triggered_at = None if gathered.order else fact.happened_at
            return row | {
                "status": SurveyStatus.skipped,
                "reason": plan.reason,
                "triggered_at": triggered_at,
            }
        case _:
            assert_never(plan)


async def _stop_reminders(session: AsyncSession, brand_id: int, gathered: Iterable[Gathered]) -> None:
    """Stop messages and reminders about orders that are cancelled or refunded."""
    undone = [it.fact.cause_id for it in gathered if it.fact.cancelled or it.fact.refunded]
    if not undone:
        return
    open_surveys = select(Survey.id).where(
        Survey.brand_id == brand_id,
        Survey.cause_kind == SurveyCause.order,
        in_ids(Survey.cause_id, undone),
        Survey.status.in_(OPEN),
    )
    ids = (await session.scalars(open_surveys.order_by(Survey.id).with_for_update(key_share=True))).all()
    await session.execute(
        update(Survey).where(Survey.brand_id == brand_id, in_ids(Survey.id, ids)).values(reminder_due_at=None)
    )
    await cancel_messages(session, brand_id, ids, [SURVEY, REMINDER], reason="order_undone")
