"""What an order's facts make of a redemption, whatever the order in which they come."""

from app.orders.rules import OrderMoney
from app.platforms.events import DisputeStatus
from app.referrals.rules import COUNTED, RedemptionStatus, RefusalReason

CANCELLED, REFUNDED = "cancelled", "refunded"
"""Reasons of a reversed redemption, besides a lost dispute and a person's words."""


def folded_status(
    decided: RedemptionStatus, order: OrderMoney, dispute: DisputeStatus | None
) -> tuple[RedemptionStatus, str | None]:
    """The status of a redemption, and its reason where that is another than what was decided.

    `decided` is its status by everything but the order's facts: by the codes' terms, the end of the
    holding period and people.
    """
    if decided not in COUNTED:
        return decided, None
    if order.cancelled:
        return RedemptionStatus.reversed, CANCELLED
    if order.is_refunded:
        return RedemptionStatus.reversed, REFUNDED
    if dispute is DisputeStatus.lost:
        return RedemptionStatus.reversed, RefusalReason.disputed
    if dispute is DisputeStatus.open and decided is RedemptionStatus.pending:
        return RedemptionStatus.in_review, RefusalReason.disputed
    return decided, None
