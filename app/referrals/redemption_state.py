"""A redemption with all that its order's facts decide about, read after it is locked."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.brands.terms import Terms, load_terms
from app.orders.models import Order
from app.platforms.events import DisputeStatus
from app.referrals.amount_rules import reward_for, reward_left, reward_value
from app.referrals.models import Redemption
from app.referrals.reward_models import Reward
from app.referrals.reward_store import RewardChange, RewardValues
from app.referrals.rules import COUNTED, RedemptionStatus


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
