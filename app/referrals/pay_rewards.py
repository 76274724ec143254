"""Pay rewards that are being granted: by a code of the owner's, or by credit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.models import Brand, Shop
from app.brands.programme import RewardKind
from app.referrals.own_codes import OwnCodes, make_reward_codes
from app.referrals.reward_to_pay import RewardToPay
from app.referrals.shop_credit.take_up import HeldRewards, hold_rewards


@dataclass(frozen=True, slots=True)
class Payment:
    """What rewards are paid with; `add_held` completes it once they are written."""

    own: OwnCodes = field(default_factory=OwnCodes)
    held: HeldRewards = field(default_factory=HeldRewards)

    def code_id_of(self, reward_id: UUID) -> UUID | None:
        """The new code of a reward; None for one that is paid by credit."""
        code = self.own.codes.get(reward_id)
        return None if code is None else code.id

    @property
    def announced_later(self) -> frozenset[UUID]:
        """The rewards whose owners are told once a connected shop has the code or the credit."""
        return self.own.placed | self.held.ids


async def pay_rewards(
    session: AsyncSession,
    brand: Brand,
    rewards: Sequence[RewardToPay],
    shops: Mapping[UUID, Shop],
    *,
    expires: Mapping[UUID, datetime],
    now: datetime,
) -> Payment:
    """Decide where credit is to be spent, and make codes; `expires` is when, by reward.

    A reward of credit that nobody could spend becomes one of kind `code`.
    """
    by_credit = [each for each in rewards if each.reward.kind is RewardKind.credit]
    held = await hold_rewards(session, brand, by_credit, shops, now=now)
    by_code = [each for each in rewards if each.reward.kind is RewardKind.code]
    if not by_code:
        return Payment(held=held)
    return Payment(await make_reward_codes(session, brand, by_code, shops, expires=expires, now=now), held)
