"""Fold refunds, cancellations, disputes and deliveries into redemptions and rewards."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.base.outbox import Event, record_events
from app.base.touched import touch
from app.brands.models import Brand
from app.brands.terms import Terms, load_terms
from app.orders.models import Order
from app.platforms.events import DisputeStatus
from app.referrals.amount_rules import reward_for, reward_left, reward_value
from app.referrals.book_discounts import book_discounts
from app.referrals.figures import note_changes
from app.referrals.fold_rules import CANCELLED, folded_status
from app.referrals.models import SETTLING_SWEEP, Redemption
from app.referrals.period_rules import hold_end
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardChange, RewardValues, store_rewards
from app.referrals.rules import COUNTED, RedemptionStatus
from app.referrals.take_again import take_uses_again


@dataclass(frozen=True, slots=True)
class RedemptionState:
    """A redemption, locked, with its order, its reward and its terms."""

    redemption: Redemption
    order: Order
    reward: Reward | None
    terms: Terms

    @property
    def cancelled(self) -> bool:
        """Whether the order was cancelled."""
        return self.order.cancelled_at is not None

    @property
    def stands_again(self) -> bool:
        """Whether the order is not cancelled any more, but the use it gave back is not taken."""
        it = self.redemption
        return not (self.cancelled or it.holds_use) and it.status_before in COUNTED

    @property
    def may_have_leaked_again(self) -> bool:
        """Whether a former cancellation may have given back what a refused code took off."""
        return self.order.stood_at is not None and self.redemption.status is RedemptionStatus.refused

    @property
    def undone(self) -> bool:
        """Whether nothing is left of the order."""
        return self.order.money.is_undone

    def amount_of(self, reward: Reward) -> int:
        """What the reward is before refunds, for the order as it is known now."""
        if reward.reason is not None:
            return 0
        return reward_for(
            reward_value(self.terms.reward, reward.currency),
            self.order.money,
            currency=self.order.currency,
            reward_currency=reward.currency,
        )

    def net_of(self, reward: Reward) -> int:
        """What the order's facts leave of a reward; 0 for a redemption that does not count."""
        if self.undone or self.redemption.status not in COUNTED:
            return 0
        return reward_left(
            self.amount_of(reward),
            self.order.money,
            self.terms.reward,
            self.terms.offer,
            currency=self.order.currency,
            reward_currency=reward.currency,
        )

    def change_of(self, reward: Reward, values: RewardValues | None = None) -> RewardChange:
        """The reward with what the facts leave of it; `values` are others that are set with it."""
        folded = replace(
            values or RewardValues.of(reward),
            amount=self.amount_of(reward),
            net_amount=self.net_of(reward),
            frozen=self.order.dispute is DisputeStatus.open,
        )
        return RewardChange(reward, folded, self.redemption.status in COUNTED)


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
    given_back = [one for one in states if one.cancelled and one.redemption.holds_use]
    counted = [one.redemption for one in states if one.redemption.status in COUNTED]
    again = [one.redemption for one in states if one.stands_again]
    await take_uses_again(session, brand.id, again, now=now)
    for state in states:
        _fold(state, now=now)
    undone = [each.id for each in counted if each.status not in COUNTED]
    await record_events(session, brand.id, [Event("redemption.reversed", each, now) for each in undone])
    await give_back(session, brand.id, given_back)
    await session.flush()
    unsure = [one for one in states if one.cancelled or one.redemption in again or one.may_have_leaked_again]
    await book_discounts(session, brand, [(one.redemption, one.order) for one in unsure], now=now)
    await adjust_rewards(session, brand, states, now=now)
    if any(
        one.redemption.hold_until is not None and one.redemption.status is RedemptionStatus.pending
        for one in states
    ):
        await due.wake(session, SETTLING_SWEEP)


async def lock_codes(
    session: AsyncSession, brand_id: int, order_ids: Collection[UUID], *, always: bool = False
) -> None:
    """Lock the codes whose uses these orders give back or take again, with `always` all."""
    await session.execute(_LOCK_CODES, {"brand_id": brand_id, "order_ids": list(order_ids), "always": always})


async def lock_redemption_states(
    session: AsyncSession, brand_id: int, order_ids: Collection[UUID]
) -> list[RedemptionState]:
    """The redemptions of these orders with their facts, read after they are locked."""
    if not order_ids:
        return []
    await lock_codes(session, brand_id, order_ids)
    locked = await session.scalars(
        select(Redemption)
        .where(Redemption.brand_id == brand_id, in_ids(Redemption.order_id, list(order_ids)))
        .order_by(Redemption.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    redemptions = {redemption.id: redemption for redemption in locked}
    if not redemptions:
        return []
    # Read after the lock: the locking statement sees rows as they were before it waited.
    return await _load_states(session, brand_id, redemptions)


# A use goes back to its code and that code's parent, or is taken there again; these are locked
# before the redemption, as in `redeem_orders`.
_LOCK_CODES = text("""
    SELECT codes.id FROM codes
    WHERE codes.brand_id = :brand_id AND codes.id IN (
        SELECT counted.id FROM redemptions
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
        JOIN codes AS used ON used.brand_id = redemptions.brand_id AND used.id = redemptions.code_id
        CROSS JOIN LATERAL (VALUES (used.id), (used.parent_id)) AS counted (id)
        WHERE redemptions.brand_id = :brand_id AND redemptions.order_id = ANY(CAST(:order_ids AS uuid[]))
          AND CASE WHEN redemptions.holds_use THEN orders.cancelled_at IS NOT NULL OR :always
              ELSE redemptions.status_before IS NOT NULL AND orders.cancelled_at IS NULL END
    )
    ORDER BY codes.parent_id IS NOT NULL, codes.id FOR NO KEY UPDATE
""")
_GIVE_BACK = text("""
    UPDATE codes SET uses = codes.uses - given.count, updated_at = clock_timestamp()
    FROM (
        SELECT counted.id, count(*) AS count
        FROM redemptions
        JOIN codes AS used ON used.brand_id = redemptions.brand_id AND used.id = redemptions.code_id
        CROSS JOIN LATERAL (VALUES (used.id), (used.parent_id)) AS counted (id)
        WHERE redemptions.brand_id = :brand_id AND redemptions.id = ANY(CAST(:ids AS uuid[]))
        GROUP BY 1
    ) AS given
    WHERE codes.brand_id = :brand_id AND codes.id = given.id
""")


async def _load_states(
    session: AsyncSession, brand_id: int, redemptions: dict[UUID, Redemption]
) -> list[RedemptionState]:
    fresh = {"populate_existing": True}
    order_ids = [redemption.order_id for redemption in redemptions.values()]
    orders = await session.scalars(
        select(Order)
        .where(Order.brand_id == brand_id, in_ids(Order.id, order_ids))
        .execution_options(**fresh)
    )
    by_id = {order.id: order for order in orders}
    rewards = await session.scalars(
        select(Reward)
        .where(Reward.brand_id == brand_id, in_ids(Reward.redemption_id, list(redemptions)))
        .order_by(Reward.id)
        .with_for_update(key_share=True)
        .execution_options(**fresh)
    )
    by_redemption = {reward.redemption_id: reward for reward in rewards}
    terms = await load_terms(session, brand_id, {redemption.terms_id for redemption in redemptions.values()})
    return [
        RedemptionState(
            redemption,
            by_id[redemption.order_id],
            by_redemption.get(redemption.id),
            terms[redemption.terms_id],
        )
        for redemption in redemptions.values()
    ]


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
    if state.cancelled:
        redemption.holds_use = False


def _reason_of(state: RedemptionState, decided: RedemptionStatus) -> str | None:
    """The reason that a redemption had before the facts of its order gave it another."""
    if decided is RedemptionStatus.in_review:
        return state.redemption.review_reason
    return None if state.reward is None else state.reward.reason


async def give_back(session: AsyncSession, brand_id: int, states: Sequence[RedemptionState]) -> None:
    """Give the use of each of these redemptions back to its code and that code's parent.

    Both are locked (`lock_codes`); the caller clears `holds_use`.
    """
    if states:
        given = {"brand_id": brand_id, "ids": [one.redemption.id for one in states]}
        await session.execute(_GIVE_BACK, given)


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
