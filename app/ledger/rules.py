"""The words of the ledger: its accounts, and what an entry may be caused by."""

from enum import StrEnum


class LedgerAccount(StrEnum):
    """The ledger's accounts. The amounts of every transaction add up to zero."""

    discount_cost = "discount_cost"
    """What friends' discounts cost the shop, for redemptions that count."""
    leaked_discount = "leaked_discount"
    """What discounts cost on orders whose redemption was refused."""
    friends = "friends"
    """The other side of discounts: what friends got."""
    reward_cost = "reward_cost"
    """What rewards cost the shop."""
    referrers = "referrers"
    """The other side of rewards: what referrers may still spend."""
    spent_rewards = "spent_rewards"
    """What referrers spent of their rewards."""
    lapsed_rewards = "lapsed_rewards"
    """What can no longer be spent: expired, or left of a code that was used."""


class CauseKind(StrEnum):
    """What an entry was posted for; the cause's id is the key of a row of that kind."""

    redemption = "redemption"
    reward = "reward"
    """A reward was used or expired."""
    credit = "credit"
    """A reservation of credit was captured or refunded."""
    shop_credit = "shop_credit"
    """Credit that a connected shop holds was spent there, or given back."""
    payable = "payable"
    adjustment = "adjustment"
    """A person granted a reward without a friend's order; the id is the reward's."""
    withdrawal = "withdrawal"
    """A person took such a reward back, as far as it was not spent; the id is the reward's."""


class ReservationStatus(StrEnum):
    """The state of a reservation of credit."""

    reserved = "reserved"
    captured = "captured"
    """Spent, wholly or in part; the rest was released."""
    released = "released"
    expired = "expired"
    """Released by time."""
    refunded = "refunded"
    """Captured, then given back wholly."""
