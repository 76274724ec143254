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
    """The other side of rewards: what is owed or was given to referrers."""


class CauseKind(StrEnum):
    """What an entry was posted for; the cause's id is the key of a row of that kind."""

    redemption = "redemption"
    payable = "payable"
    adjustment = "adjustment"
