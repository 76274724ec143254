"""Fold refunds, cancellations, disputes and deliveries into redemptions and rewards."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.outbox import Event, record_events
from app.base.touched import touch
from app.brands.models import Brand
from app.referrals.book_discounts import book_discounts
from app.referrals.code_uses import give_back, take_uses_again
from app.referrals.figures import note_changes
from app.referrals.fold_rules import CANCELLED, folded_status
from app.referrals.models import SETTLING_SWEEP
from app.referrals.period_rules import hold_end
from app.referrals.redemption_state import RedemptionState, lock_redemption_states
from app.referrals.reward_store import store_rewards
from app.referrals.rules import COUNTED, RedemptionStatus


async def fold_order_facts(
    session: AsyncSession, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Fold the orders' present facts into their redemptions and rewards.

    The order, repetition and lateness of facts cannot matter. A cancellation gives the code's use
    back, a refund or a lost dispute does not; an order that the shop takes up again takes it again,
    as long as it is there. Orders without a redemption are left out.
    """
    if not order_ids:
        return
    states = await lock_redemption_states(session, brand.id, order_ids)
    counted = [one.redemption for one in states if one.redemption.status in COUNTED]
    again = [one.redemption for one in states if one.stands_again]
    # What is given back is there for the others of the batch, as where each came by itself.
    await _give_uses_back(session, brand.id, states)
    await take_uses_again(session, brand.id, again, now=now)
    for state in states:
        _fold(state, now=now)
    undone = [each.id for each in counted if each.status not in COUNTED]
    await record_events(session, brand.id, [Event("redemption.reversed", each, now) for each in undone])
    await session.flush()
    unsure = [one for one in states if one.cancelled or one.redemption in again or one.may_have_leaked_again]
    await book_discounts(session, brand, [(one.redemption, one.order) for one in unsure], now=now)
    await adjust_rewards(session, brand, states, now=now)
    if any(
        one.redemption.hold_until is not None and one.redemption.status is RedemptionStatus.pending
        for one in states
    ):
        await due.wake(session, SETTLING_SWEEP)


async def _give_uses_back(session: AsyncSession, brand_id: int, states: Sequence[RedemptionState]) -> None:
    """Give back the uses of cancelled orders, each once."""
    given_back = [one.redemption for one in states if one.cancelled and one.redemption.holds_use]
    await give_back(session, brand_id, given_back)
    for redemption in given_back:
        redemption.holds_use = False
    await session.flush()


def _fold(state: RedemptionState, *, now: datetime) -> None:
    """Set the redemption's state from the order's facts; idempotent."""
    redemption, order, reward = state.redemption, state.order, state.terms.reward
    redemption.shop_id = order.shop_id
    decided = redemption.status_before or redemption.status
    if decided in (RedemptionStatus.pending, RedemptionStatus.in_review):
        redemption.hold_until = hold_end(
            order.paid_at, order.delivered_at, reward.hold_from, reward.hold_days
        )
    status, reason = folded_status(decided, order.money, order.dispute)
    if state.stands_again and status in COUNTED:
        # Somebody else has had the use since.
        status, reason = RedemptionStatus.reversed, CANCELLED
    if status is decided:
        reason = redemption.reason if redemption.status is decided else _reason_of(state, decided)
    if (status is RedemptionStatus.reversed) != (redemption.status is RedemptionStatus.reversed):
        redemption.reversed_at = now if status is RedemptionStatus.reversed else None
    redemption.status_before = None if status is decided else decided
    redemption.become(status, reason, now=now)


def _reason_of(state: RedemptionState, decided: RedemptionStatus) -> str | None:
    """The reason that a redemption had before the facts of its order gave it another."""
    if decided is RedemptionStatus.in_review:
        return state.redemption.review_reason
    return None if state.reward is None else state.reward.reason


async def adjust_rewards(
    session: AsyncSession, brand: Brand, states: Sequence[RedemptionState], *, now: datetime
) -> None:
    """Set rewards to what the facts leave of them, granted ones with a compensating transaction.

    A reward whose redemption no longer counts is `cancelled` before it was granted, else
    `reversed`. One that was reduced rises again where the facts turn out better. Whatever the
    redemptions were before is noted for the roll-ups.
    """
    await touch(session, brand.id, "orders", [state.order.id for state in states])
    changes = [state.change_of(state.reward) for state in states if state.reward is not None]
    await store_rewards(session, brand, changes, now=now)
    # Also without a reward: what is left of the order may be another amount.
    await note_changes(session, brand.id, {state.redemption.referrer_id for state in states})
