"""A reward that is being granted, with what paying it needs."""

from dataclasses import dataclass
from uuid import UUID

from app.referrals.reward_models import Reward


@dataclass(frozen=True, slots=True)
class RewardToPay:
    """A locked or new reward that is worth something."""

    reward: Reward
    amount: int
    """What its code is made for, in minor units of its currency."""
    terms_id: UUID
    shop_id: UUID
    """Where it is spent if the owner's shop has another currency: that of the friend's order."""
