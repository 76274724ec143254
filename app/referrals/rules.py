"""Pure decisions about codes, redemptions and rewards."""

from enum import StrEnum


class CodeStatus(StrEnum):
    """What a code is good for at a moment; reckoned, not stored."""

    active = "active"
    expired = "expired"
    disabled = "disabled"
    exhausted = "exhausted"


class RedemptionStatus(StrEnum):
    """Where a friend's use of a code stands."""

    pending = "pending"
    held = "held"
    approved = "approved"
    rejected = "rejected"
    reversed = "reversed"
    refused = "refused"


class RefusalReason(StrEnum):
    """Why a code does not count for an order; shown to people."""

    unknown_code = "unknown_code"
    expired = "expired"
    disabled = "disabled"
    exhausted = "exhausted"
    own_order = "own_order"
    existing_customer = "existing_customer"
    already_used_by_friend = "already_used_by_friend"
    minimum_not_met = "minimum_not_met"
    budget_spent = "budget_spent"
    cap_reached = "cap_reached"
    currency_mismatch = "currency_mismatch"
    not_active = "not_active"
    suspected_fraud = "suspected_fraud"


class RewardStatus(StrEnum):
    """Where a referrer's reward stands."""

    pending = "pending"
    granted = "granted"
    used = "used"
    expired = "expired"
    clawed_back = "clawed_back"


class Account(StrEnum):
    """The ledger's accounts. Every transaction adds up to zero."""

    discount_cost = "discount_cost"
    """What friends' discounts cost the shop, for redemptions that count."""
    leaked_discount = "leaked_discount"
    """What discounts cost on orders whose redemption was refused."""
    friends = "friends"
    """The other side of discounts: what friends got."""
    reward_cost = "reward_cost"
    """What rewards cost the shop."""
    referrers = "referrers"
    """The other side of rewards: what is owed or was given to referrers."""
