"""What became of a code or a friend's order, in sentences for the referrer; nothing in them tells who the friend is."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from app.base.money import Money
from app.referrals.models import Redemption, Reward
from app.referrals.rules import CodeStatus, RedemptionStatus, RefusalReason, RewardStatus

_REFUSED: Mapping[str, str] = {
    RefusalReason.unknown_code: "the code was not known to us.",
    RefusalReason.expired: "the code had expired when the order was placed.",
    RefusalReason.disabled: "the code had been switched off.",
    RefusalReason.exhausted: "the code had been used as often as it may be.",
    RefusalReason.own_order: "the order was your own.",
    RefusalReason.existing_customer: "your friend had ordered here before.",
    RefusalReason.already_used_by_friend: "your friend had used a friend's code before.",
    RefusalReason.minimum_not_met: "the order was below the least amount for the code.",
    RefusalReason.budget_spent: "the budget for rewards was used up.",
    RefusalReason.cap_reached: "you had already been given as many rewards as one person may have.",
    RefusalReason.currency_mismatch: "the order was paid in another currency.",
    RefusalReason.not_active: "the programme was not running then.",
    RefusalReason.suspected_fraud: "we could not tell your friend's order from your own.",
}
_REVERSED: Mapping[str, str] = {
    "cancelled": "the order was cancelled.",
    "refunded": "the order was refunded.",
}
_ENDED: Mapping[RedemptionStatus, str] = {
    RedemptionStatus.in_review: "Somebody here is taking a look at this order. You need not do anything.",
    RedemptionStatus.rejected: "No reward: we looked at this order and could not count it.",
}
CODE_STATES: Mapping[CodeStatus, str] = {
    CodeStatus.active: "",
    CodeStatus.expired: "Your code has expired, so it can no longer be used.",
    CodeStatus.disabled: "Your code has been switched off, so it can no longer be used.",
    CodeStatus.exhausted: "Your code has been used as often as it may be. Thank you!",
}
"""Why there is nothing to share; empty for a code that works."""


def day_of(at: datetime, zone: ZoneInfo) -> str:
    """`31 December 2026`, by the zone's calendar."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def describe_redemption(redemption: Redemption, reward: Reward | None, zone: ZoneInfo) -> str:
    """What came of a friend's order, and why there is no reward where there is none."""
    match redemption.status:
        case RedemptionStatus.pending:
            hold = redemption.hold_until
            return (
                f"Counted on {day_of(hold, zone)}, if the order is kept."
                if hold
                else "Waiting for the order to be delivered."
            )
        case RedemptionStatus.approved:
            return _rewarded(reward)
        case RedemptionStatus.reversed:
            return "No reward: " + _REVERSED.get(redemption.reason or "", "the order was taken back.")
        case RedemptionStatus.refused:
            return "No reward: " + _REFUSED[redemption.reason or RefusalReason.unknown_code]
        case _:
            return _ENDED[redemption.status]


def _rewarded(reward: Reward | None) -> str:
    if reward is None:
        return "Counted. Thank you!"
    if reward.status is RewardStatus.reversed:
        return "No reward: too much of the order was refunded."
    left = Money(reward.net_amount, reward.currency)
    own = f" Your own code: {reward.code}" if reward.code else ""
    if reward.net_amount < reward.amount:
        return f"You got {left} of {Money(reward.amount, reward.currency)}, since part of the order was refunded.{own}"
    return f"You got {left}.{own}"
