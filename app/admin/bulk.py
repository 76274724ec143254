"""Decide many friends' orders at once, by a filter: in batches, each with where it goes on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.bulk_models import BulkDecision, StoredProblem
from app.admin.filter_texts import FilterTexts
from app.admin.redemptions import RedemptionFilter, read_filter, redemption_conditions
from app.admin.rows import REDEMPTIONS
from app.admin.rules import BulkAction
from app.base import due
from app.base.actor import Actor
from app.base.batch import in_ids
from app.base.errors import AppError, NotFound
from app.base.ids import new_id, public_id
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.orders.models import Order
from app.referrals.decide import decide_redemptions
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus, may_become

SWEEP_NAME = "bulk_decisions"
BATCH = 100
"""Friends' orders in one transaction."""
MOST = 10_000
"""More than these are not decided at once."""
_MOST_PROBLEMS = 100
_BECOMES = {
    BulkAction.approve: RedemptionStatus.approved,
    BulkAction.reject: RedemptionStatus.rejected,
}


@dataclass(frozen=True, slots=True)
class BulkQuestion:
    """What is to be decided about which friends' orders, `until` the newest that was counted."""

    action: BulkAction
    texts: FilterTexts
    reason: str | None = None
    until: UUID | None = None


@dataclass(frozen=True, slots=True)
class Meant:
    """How many friends' orders a filter means, and the newest of them; None where there is none."""

    count: int
    until: UUID | None


def check_action(action: BulkAction, wanted: RedemptionFilter) -> None:
    """Raise AppError (422 `bad_filter`) for a filter whose state the action does not change."""
    if wanted.status is None or not may_become(wanted.status, _BECOMES[action]):
        raise AppError("bad_filter", f"Choose a state from which a friend's order may be set: {action}.")


async def count_meant(
    session: AsyncSession, caller: Actor, wanted: RedemptionFilter, until: UUID | None = None
) -> Meant:
    """The friends' orders of a filter that the caller sees, up to `until`.

    Raises AppError (422 `bad_filter`) where they are more than `MOST`.
    """
    chosen = _chosen(caller, wanted, until).with_only_columns(Redemption.id)
    newest = await session.scalar(chosen.order_by(Redemption.id.desc()).limit(1))
    counted = chosen.limit(MOST + 1).subquery()
    count = await session.scalar(select(func.count()).select_from(counted)) or 0
    if count > MOST:
        raise AppError("bad_filter", f"These are more than {MOST:,} friends' orders; choose fewer of them.")
    return Meant(count, newest)


async def start_bulk(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    asked: BulkQuestion,
    *,
    actor: Actor,
    now: datetime,
) -> BulkDecision:
    """Begin to decide the friends' orders of a filter, and do the first batch at once.

    Those that come later, or after `until`, are not meant. A worker does the rest. Raises as
    `check_action` and `count_meant`, and 422 `reason_required` for a rejection without one.
    """
    wanted = read_filter(asked.texts, brand.time_zone)
    check_action(asked.action, wanted)
    if asked.action is BulkAction.reject and not asked.reason:
        raise AppError("reason_required", "Say why they do not count.")
    meant = await count_meant(session, actor, wanted, asked.until)
    bulk = BulkDecision(
        brand_id=brand.id,
        id=new_id(),
        action=asked.action,
        wanted=asked.texts,
        reason=asked.reason,
        shop_ids=None if actor.shops is None else [str(each) for each in sorted(actor.shops)],
        actor_kind=actor.kind,
        actor_id=actor.id,
        until_id=meant.until or new_id(),
        last_id=None,
        total=meant.count,
        done=0,
        left_out=0,
        problems=[],
        finished_at=None,
    )
    session.add(bulk)
    await session.flush()
    await _advance(session, tokens, brand, bulk, now=now)
    if bulk.finished_at is None:
        await due.wake(session, SWEEP_NAME)
    return bulk


async def advance_bulk(session: AsyncSession, tokens: Tokens, brand: Brand, *, now: datetime) -> int:
    """Do one batch of the oldest decision of the brand that nobody works on; returns how many."""
    bulk = await session.scalar(
        select(BulkDecision)
        .where(BulkDecision.brand_id == brand.id, BulkDecision.finished_at.is_(None))
        .order_by(BulkDecision.id)
        .limit(1)
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return 0 if bulk is None else await _advance(session, tokens, brand, bulk, now=now)


async def find_bulk(session: AsyncSession, caller: Actor, bulk_id: UUID) -> BulkDecision:
    """One decision; raises NotFound for one of somebody who sees other shops."""
    bulk = await session.get(BulkDecision, (caller.brand_id, bulk_id))
    if bulk is None or not _may_see(caller, bulk.shop_ids):
        raise NotFound
    return bulk


def _may_see(caller: Actor, shop_ids: Collection[str] | None) -> bool:
    if caller.shops is None:
        return True
    return shop_ids is not None and {UUID(each) for each in shop_ids} <= caller.shops


async def _advance(
    session: AsyncSession, tokens: Tokens, brand: Brand, bulk: BulkDecision, *, now: datetime
) -> int:
    actor = _actor_of(bulk)
    wanted = read_filter(bulk.wanted, brand.time_zone)
    query = _chosen(actor, wanted, bulk.until_id)
    if bulk.last_id is not None:
        query = query.where(Redemption.id > bulk.last_id)
    query = query.with_only_columns(Redemption.id).order_by(Redemption.id).limit(BATCH)
    ids: list[UUID] = list(await session.scalars(query))
    refused = await decide_redemptions(
        session, tokens, brand, ids, _BECOMES[bulk.action], actor=actor, reason=bulk.reason, now=now
    )
    bulk.done += len(ids) - len(refused)
    bulk.left_out += len(refused)
    if refused and len(bulk.problems) < _MOST_PROBLEMS:
        problems = [*bulk.problems, *await _problems(session, brand.id, refused)]
        bulk.problems = problems[:_MOST_PROBLEMS]
    if ids:
        bulk.last_id = ids[-1]
    if len(ids) < BATCH:
        bulk.finished_at = now
        bulk.reason = None
        bulk.wanted = _without_code(bulk.wanted)
    await session.flush()
    return len(ids)


def _chosen(actor: Actor, wanted: RedemptionFilter, until: UUID | None) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = redemption_conditions(actor.brand_id, wanted)
    if until is not None:
        conditions.append(Redemption.id <= until)
    return REDEMPTIONS.visible(actor).where(*conditions)


def _actor_of(bulk: BulkDecision) -> Actor:
    shops = None if bulk.shop_ids is None else frozenset(UUID(each) for each in bulk.shop_ids)
    return Actor(bulk.actor_kind, bulk.brand_id, bulk.actor_id, shops=shops)


def _without_code(texts: FilterTexts) -> FilterTexts:
    kept = texts.copy()
    kept.pop("code", None)
    return kept


async def _problems(session: AsyncSession, brand_id: int, refused: Mapping[UUID, str]) -> list[StoredProblem]:
    rows = await session.execute(
        select(Redemption.id, Order.number)
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .where(Redemption.brand_id == brand_id, in_ids(Redemption.id, list(refused)))
        .order_by(Redemption.id)
    )
    return [
        StoredProblem(redemption=public_id("red", row.id), number=row.number, code=refused[row.id])
        for row in rows
    ]
