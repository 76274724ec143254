"""What a connected shop must have of a reward's code."""

from dataclasses import dataclass
from datetime import datetime

from app.referrals.rules import RewardStatus


@dataclass(frozen=True, slots=True)
class PlacementInput:
    """All that decides what a shop must have; amounts in minor units."""

    status: RewardStatus
    net_amount: int
    frozen: bool
    ended: bool
    """Whether the code was disabled, or its owner's link revoked."""
    expires_at: datetime


def wanted_amount(given: PlacementInput, *, now: datetime) -> int | None:
    """What the code must be worth in the shop, 0 where it must not be there.

    None for a used one, which the shop itself lets nobody use again.
    """
    if given.status is RewardStatus.used and not given.ended:
        return None
    if given.status is not RewardStatus.granted or given.frozen or given.ended or given.expires_at <= now:
        return 0
    return given.net_amount
