"""Refunds, cancellations and deliveries, folded into redemptions and rewards by compensating entries only."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import in_ids
from app.brands.find import load_programme_versions
from app.brands.models import Brand
from app.brands.programme import Programme
from app.orders.models import Order
from app.referrals import rules
from app.referrals.ledger import LedgerTransaction, post_entries
from app.referrals.models import Redemption, Reward
from app.referrals.rules import LedgerAccount, RedemptionStatus

CANCELLED, REFUNDED = "cancelled", "refunded"
"""Reasons of a reversed redemption, besides a person's words."""
_OPEN = (RedemptionStatus.pending, RedemptionStatus.in_review, RedemptionStatus.approved)


@dataclass(frozen=True, slots=True)
class RedemptionState:
    """A redemption, locked, with what its order and its reward have come to."""

    redemption: Redemption
    order: Order
    reward: Reward | None
    terms: Programme

    @property
    def cancelled(self) -> bool:
        """Whether the order is off."""
        return self.order.cancelled_at is not None

    @property
    def undone(self) -> bool:
        """Whether nothing is left of the order."""
        return rules.is_undone(self.order.total, self.order.refunded, cancelled=self.cancelled)

    def net_of(self, amount: int) -> int:
        """What the order's facts leave of a reward of this amount."""
        if self.undone or self.redemption.status is RedemptionStatus.reversed:
            return 0
        minimum, currency = self.terms.offer.minimum_subtotal, self.order.currency
        return rules.net_reward(
            amount,
            self.order.total,
            self.order.refunded,
            cancelled=self.cancelled,
            how=self.terms.reward.partial_refund,
            minimum=None if minimum is None else rules.minor_of(minimum, currency),
        )


async def reverse_orders(
    session: AsyncSession, brand: Brand, order_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Bring the redemptions of these orders, and their rewards, to what the orders' present facts say.

    A fold: the order, repetition and lateness of facts cannot matter. A cancellation gives the code's use back, a refund does not.
    Orders without a redemption are passed over.
    """
    if not order_ids:
        return
    states = await lock_redemption_states(session, brand.id, order_ids)
    given_back = [one for one in states if one.cancelled and one.redemption.holds_use]
    for state in states:
        _fold(state, now=now)
    await give_back(session, brand.id, given_back)
    await session.flush()
    await post_entries(session, brand.id, [line for one in states for line in _discount_back(one)], now=now)
    await reduce_rewards(session, brand.id, states, now=now)
    if any(
        one.redemption.hold_until is not None and one.redemption.status is RedemptionStatus.pending
        for one in states
    ):
        await due.wake(session, "referrals")


async def lock_redemption_states(
    session: AsyncSession, brand_id: int, order_ids: Collection[UUID]
) -> list[RedemptionState]:
    """The redemptions of these orders with their facts, read after everything that may change is locked: codes, then redemptions."""
    if not order_ids:
        return []
    await session.execute(_LOCK_CODES, {"brand_id": brand_id, "order_ids": list(order_ids)})
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
    # Read by later statements than the lock's: that one saw the world as it was before it had to wait.
    return await _stand(session, brand_id, redemptions)


# A use goes back to its code, which is locked before the redemption: redeeming takes its locks in that order too.
_LOCK_CODES = text("""
    SELECT codes.id FROM codes
    WHERE codes.brand_id = :brand_id AND codes.id IN (
        SELECT redemptions.code_id FROM redemptions
        JOIN orders ON orders.brand_id = redemptions.brand_id AND orders.id = redemptions.order_id
        WHERE redemptions.brand_id = :brand_id AND redemptions.order_id = ANY(CAST(:order_ids AS uuid[]))
          AND redemptions.holds_use AND orders.cancelled_at IS NOT NULL
    )
    ORDER BY codes.id FOR NO KEY UPDATE
""")


async def _stand(
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
        .execution_options(**fresh)
    )
    by_redemption = {reward.redemption_id: reward for reward in rewards}
    versions = await load_programme_versions(
        session, brand_id, {redemption.programme_version for redemption in redemptions.values()}
    )
    return [
        RedemptionState(
            redemption,
            by_id[redemption.order_id],
            by_redemption.get(redemption.id),
            versions[redemption.programme_version],
        )
        for redemption in redemptions.values()
    ]


def _fold(state: RedemptionState, *, now: datetime) -> None:
    """Set the redemption's state to what the facts say; called again it changes nothing."""
    redemption, order, reward = state.redemption, state.order, state.terms.reward
    if redemption.status in (RedemptionStatus.pending, RedemptionStatus.in_review):
        redemption.hold_until = rules.hold_end(
            order.paid_at, order.delivered_at, reward.hold_from, reward.hold_days
        )
    if redemption.status in _OPEN and state.undone:
        redemption.status = RedemptionStatus.reversed
        redemption.reason = CANCELLED if state.cancelled else REFUNDED
        redemption.reversed_at = now
    elif redemption.status is RedemptionStatus.reversed and state.cancelled and redemption.reason == REFUNDED:
        redemption.reason = CANCELLED
    if state.cancelled:
        redemption.holds_use = False


_GIVE_BACK = text("""
    UPDATE codes SET uses = uses - given.count
    FROM unnest(CAST(:ids AS uuid[])) AS one (id),
         LATERAL (SELECT count(*) FROM unnest(CAST(:all AS uuid[])) AS other (id) WHERE other.id = one.id) AS given
    WHERE codes.brand_id = :brand_id AND codes.id = one.id
""")


async def give_back(session: AsyncSession, brand_id: int, states: Sequence[RedemptionState]) -> None:
    """Give each of these redemptions' use back to its code; once each, which `holds_use` sees to."""
    codes = [one.redemption.code_id for one in states]
    if codes:
        await session.execute(_GIVE_BACK, {"brand_id": brand_id, "ids": sorted(set(codes)), "all": codes})


def _discount_back(state: RedemptionState) -> list[LedgerTransaction]:
    """A cancelled order cost no discount, counted or leaked; a refunded one did."""
    return [discount_back(state.redemption)] if state.cancelled else []


def discount_back(redemption: Redemption) -> LedgerTransaction:
    """What takes a friend's discount out of the books again."""
    leaked = redemption.status is RedemptionStatus.refused
    return LedgerTransaction(
        key=f"discount_back:{redemption.id}",
        account=LedgerAccount.leaked_discount if leaked else LedgerAccount.discount_cost,
        other=LedgerAccount.friends,
        amount=-redemption.amount_off,
        currency=redemption.currency,
        redemption_id=redemption.id,
        referrer_id=redemption.referrer_id,
    )


_LOWER = text("""
    UPDATE rewards SET net_amount = lower.net, status = CASE WHEN lower.net = 0 THEN 'reversed' ELSE status END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:nets AS bigint[])) AS lower (id, net)
    WHERE rewards.brand_id = :brand_id AND rewards.id = lower.id
""")


async def reduce_rewards(
    session: AsyncSession, brand_id: int, states: Sequence[RedemptionState], *, now: datetime
) -> None:
    """Lower granted rewards to what the facts leave of them; a reward never rises again, since refunds never shrink."""
    judged = [(one.reward, one.net_of(one.reward.amount)) for one in states if one.reward is not None]
    lowered = [(reward, net) for reward, net in judged if net < reward.net_amount]
    if lowered:
        ids, nets = [reward.id for reward, _ in lowered], [net for _, net in lowered]
        await session.execute(_LOWER, {"brand_id": brand_id, "ids": ids, "nets": nets})
        await post_entries(session, brand_id, [_clawback(reward, net) for reward, net in lowered], now=now)


def _clawback(reward: Reward, net: int) -> LedgerTransaction:
    return LedgerTransaction(
        key=f"clawback:{reward.redemption_id}:{net}",
        account=LedgerAccount.reward_cost,
        other=LedgerAccount.referrers,
        amount=net - reward.net_amount,
        currency=reward.currency,
        redemption_id=reward.redemption_id,
        referrer_id=reward.referrer_id,
    )
