"""Whether a referrer's own code can be used for an order."""

from dataclasses import dataclass

from app.referrals.rules import RefusalReason, RewardStatus


@dataclass(frozen=True, slots=True)
class OwnCodeInput:
    """All that decides whether a referrer's own code can be used for an order.

    `used_here`: the order has used it already. `expired` is computed for the time the order was
    placed.
    """

    is_owner: bool
    revoked: bool
    disabled: bool
    status: RewardStatus
    frozen: bool
    used_here: bool
    expired: bool
    same_currency: bool


def why_not_own_code(given: OwnCodeInput) -> RefusalReason | None:
    """The first reason against it, or None. For everybody else there is no such code."""
    checks = (
        (not given.is_owner, RefusalReason.unknown_code),
        (given.revoked or given.disabled, RefusalReason.disabled),
        (given.status in (RewardStatus.reversed, RewardStatus.cancelled), RefusalReason.disabled),
        (given.status is RewardStatus.used and not given.used_here, RefusalReason.exhausted),
        (given.expired and not given.used_here, RefusalReason.expired),
        (given.frozen and not given.used_here, RefusalReason.disputed),
        (not given.same_currency, RefusalReason.currency_mismatch),
    )
    return next((reason for refused, reason in checks if refused), None)
