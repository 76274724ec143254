"""What a brand owes its referrers, from what the accounts about rewards add up to."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.ledger.rules import LedgerAccount

OF_REWARDS = (
    LedgerAccount.reward_cost,
    LedgerAccount.referrers,
    LedgerAccount.spent_rewards,
    LedgerAccount.lapsed_rewards,
)
"""The accounts that say the outcome of rewards; together they add up to zero."""


@dataclass(frozen=True, slots=True)
class AccountSum:
    """What entries of one account and currency add up to, in minor units; `taken` is positive."""

    account: LedgerAccount
    currency: str
    added: int
    taken: int
    entries: int = 0

    @property
    def balance(self) -> int:
        """What is added less what is taken."""
        return self.added - self.taken


@dataclass(frozen=True, slots=True)
class Liability:
    """The outcome of rewards in one currency, in minor units.

    `reversed` is what refunds, cancellations and people took back of what was granted. `expired`
    is all that can no longer be spent, what a used code left included. `outstanding` is what
    referrers may still spend; negative where more was spent than a refund left later.
    """

    currency: str
    granted: int
    reversed: int
    used: int
    expired: int
    outstanding: int

    @property
    def balances(self) -> bool:
        """Whether what was granted is accounted for."""
        return self.granted - self.reversed - self.used - self.expired == self.outstanding


def liability_of(currency: str, sums: Iterable[AccountSum]) -> Liability:
    """What the sums of the accounts in this currency mean; other accounts are left out."""
    by_account = {each.account: each for each in sums if each.currency == currency}
    nothing = AccountSum(LedgerAccount.referrers, currency, 0, 0)
    cost, owed, spent, lapsed = (by_account.get(each, nothing) for each in OF_REWARDS)
    return Liability(currency, cost.added, cost.taken, -spent.balance, -lapsed.balance, -owed.balance)
