"""Decisions of staff and shops about redemptions: approve, reject or undo one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action, record_actions
from app.base.batch import in_ids
from app.base.errors import AppError, NotFound
from app.base.outbox import Event, record_events
from app.base.tokens import Tokens
from app.brands.models import Brand
from app.orders.models import Order
from app.referrals.book_discounts import book_discounts
from app.referrals.code_uses import give_back
from app.referrals.fold_facts import adjust_rewards
from app.referrals.models import Code, Redemption
from app.referrals.redemption_state import RedemptionState, lock_codes, lock_redemption_states
from app.referrals.reward import reward_redemptions
from app.referrals.rules import RedemptionStatus, may_become


async def approve_redemption(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    redemption_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
) -> None:
    """Approve a redemption in review, a rejected one, or a pending one early.

    Its reward is granted now. A `reason` in a person's words is kept in the audit log.

    Raises 409 `not_allowed` where the status does not allow it, 409 `order_undone` where nothing is
    left of the order, 404.
    """
    state = await _lock_state(session, brand.id, redemption_id)
    _check(state, RedemptionStatus.approved)
    if state.undone:
        raise AppError(
            "order_undone",
            "The order was cancelled or refunded, so there is nothing left to reward.",
            status=409,
        )
    await reward_redemptions(session, tokens, brand, [redemption_id], now=now)
    changes = {"reason": (None, reason)} if reason else None
    await record_action(session, actor, AuditAction.redemption_approved, ("red", redemption_id), changes)


async def reject_redemption(
    session: AsyncSession, brand: Brand, redemption_id: UUID, *, actor: Actor, reason: str, now: datetime
) -> None:
    """Reject a redemption that is pending or in review; `reason` is the person's own words.

    The use of the code stays counted and the reward is cancelled. Raises 409 `not_allowed` where
    the status does not allow it, 404.
    """
    state = await _lock_state(session, brand.id, redemption_id)
    _check(state, RedemptionStatus.rejected)
    await _reject(session, brand, [state], reason, now=now)
    changes = {"reason": (None, reason)}
    await record_action(session, actor, AuditAction.redemption_rejected, ("red", redemption_id), changes)


async def decide_redemptions(
    session: AsyncSession,
    tokens: Tokens,
    brand: Brand,
    redemption_ids: Sequence[UUID],
    wanted: RedemptionStatus,
    *,
    actor: Actor,
    reason: str | None,
    now: datetime,
) -> dict[UUID, str]:
    """Approve or reject these redemptions, as `approve_redemption` and `reject_redemption` do one.

    Returns those that stay as they are, each with the code of the reason: `not_allowed` where its
    status does not allow it (so a second call changes nothing), or `order_undone`.
    """
    states = await _lock_states(session, brand.id, redemption_ids)
    refused = {state.redemption.id: code for state in states if (code := _why_not(state, wanted))}
    decided = [state for state in states if state.redemption.id not in refused]
    ids = [state.redemption.id for state in decided]
    match wanted:
        case RedemptionStatus.approved:
            action = AuditAction.redemption_approved
            await reward_redemptions(session, tokens, brand, ids, now=now)
        case RedemptionStatus.rejected:
            action = AuditAction.redemption_rejected
            await _reject(session, brand, decided, reason, now=now)
        case _:
            raise ValueError(f"nobody decides that a redemption is {wanted}")
    changes: dict[str, tuple[object, object]] = {"reason": (None, reason)} if reason else {}
    await record_actions(session, actor, action, "red", dict.fromkeys(ids, changes))
    return refused


def _why_not(state: RedemptionState, wanted: RedemptionStatus) -> str | None:
    if not may_become(state.redemption.status, wanted):
        return "not_allowed"
    return "order_undone" if wanted is RedemptionStatus.approved and state.undone else None


async def _reject(
    session: AsyncSession,
    brand: Brand,
    states: Sequence[RedemptionState],
    reason: str | None,
    *,
    now: datetime,
) -> None:
    for state in states:
        state.redemption.become(RedemptionStatus.rejected, reason, now=now)
        state.redemption.status_before = None
    await session.flush()
    await adjust_rewards(session, brand, states, now=now)


async def undo_redemption(
    session: AsyncSession, brand: Brand, redemption_id: UUID, *, actor: Actor, reason: str, now: datetime
) -> None:
    """Undo a redemption wholly: its use is given back, its ledger entries are compensated.

    The same is done for a redemption that a refund has already reversed, so the result does not
    depend on which came first; a second call changes nothing. Raises 409 `not_allowed` where the
    status does not allow it, 404.
    """
    state = await _lock_state(session, brand.id, redemption_id)
    redemption = state.redemption
    if redemption.status is not RedemptionStatus.reversed:
        _check(state, RedemptionStatus.reversed)
        await record_events(session, brand.id, [Event("redemption.reversed", redemption.id, now)])
    elif not redemption.holds_use:
        return
    if redemption.holds_use:
        await give_back(session, brand.id, [redemption])
    redemption.become(RedemptionStatus.reversed, reason, now=now)
    redemption.status_before = None
    redemption.reversed_at = redemption.reversed_at or now
    redemption.holds_use = False
    await session.flush()
    await book_discounts(session, brand, [(redemption, state.order)], now=now)
    await adjust_rewards(session, brand, [state], now=now)
    changes = {"reason": (None, reason)}
    await record_action(session, actor, AuditAction.redemption_rolled_back, ("red", redemption_id), changes)


@dataclass(frozen=True, slots=True)
class OrderRedemption:
    """The redemption of an order, with its code as compared."""

    id: UUID
    code: str
    status: RedemptionStatus
    reason: str | None


async def find_order_redemption(
    session: AsyncSession, brand_id: int, shop_id: UUID, external_id: str
) -> OrderRedemption | None:
    """The redemption of the order that the shop knows by this id; None where there is none."""
    found = await session.execute(
        select(Redemption.id, Code.code, Redemption.status, Redemption.reason)
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .where(Order.brand_id == brand_id, Order.shop_id == shop_id, Order.external_id == external_id)
    )
    row = found.first()
    return None if row is None else OrderRedemption(row.id, row.code, row.status, row.reason)


async def find_order_id(session: AsyncSession, brand_id: int, redemption_id: UUID) -> UUID | None:
    """The order of a redemption; None where there is no such redemption."""
    return await session.scalar(
        select(Redemption.order_id).where(Redemption.brand_id == brand_id, Redemption.id == redemption_id)
    )


async def _lock_state(session: AsyncSession, brand_id: int, redemption_id: UUID) -> RedemptionState:
    states = await _lock_states(session, brand_id, [redemption_id])
    if not states:
        raise NotFound("There is no such redemption.")
    return states[0]


async def _lock_states(
    session: AsyncSession, brand_id: int, redemption_ids: Sequence[UUID]
) -> list[RedemptionState]:
    found = await session.scalars(
        select(Redemption.order_id).where(
            Redemption.brand_id == brand_id, in_ids(Redemption.id, list(redemption_ids))
        )
    )
    order_ids = found.all()
    if not order_ids:
        return []
    # Locked in the same order as by `redeem_orders`: the code, then the redemption.
    await lock_codes(session, brand_id, order_ids, always=True)
    return await lock_redemption_states(session, brand_id, order_ids)


def _check(state: RedemptionState, wanted: RedemptionStatus) -> None:
    status = state.redemption.status
    if not may_become(status, wanted):
        raise AppError("not_allowed", f"A redemption that is {status} cannot become {wanted}.", status=409)
