"""What the fake knows of its customers' store credit: accounts by currency.

A debit takes what expires first, and what does not expire last. A refund of an order that was paid
with credit reverts the debit (`StoreCreditAccountDebitRevertTransaction` in Shopify's schema).
"""

import itertools
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

CREDIT_LIMIT = Decimal(15_000)
"""The most that an account may hold. Shopify names a limit and no figure: a guess."""
TYPES = {
    "credit": "StoreCreditAccountCreditTransaction",
    "debit": "StoreCreditAccountDebitTransaction",
    "revert": "StoreCreditAccountDebitRevertTransaction",
    "expiration": "StoreCreditAccountExpirationTransaction",
}
"""Shopify's names of the kinds of entries."""
_numbers = itertools.count(8_000_000_000_000_000_001)


def _gid(kind: str) -> str:
    return f"gid://shopify/{kind}/{next(_numbers)}"


@dataclass
class FakeEntry:
    """One transaction; a debit knows what it took of which credits."""

    kind: str
    amount: Decimal
    event: str
    at: datetime
    balance: Decimal
    expires_at: datetime | None = None
    remaining: Decimal = Decimal(0)
    took: list[tuple["FakeEntry", Decimal]] = field(default_factory=list)
    of: "FakeEntry | None" = None
    """The credit that expired, or the debit that was reverted."""
    id: str = ""

    def __post_init__(self) -> None:
        self.id = self.id or _gid(TYPES[self.kind])


@dataclass
class FakeCredit:
    """The store credit of a shop's customers."""

    accounts: dict[str, "FakeAccount"] = field(default_factory=dict)
    """By id."""
    limit: Decimal = CREDIT_LIMIT

    def account(self, customer: str, currency: str) -> "FakeAccount | None":
        """A customer's account in a currency, by their global id."""
        found = (
            each for each in self.accounts.values() if (each.owner, each.currency) == (customer, currency)
        )
        return next(found, None)


@dataclass
class FakeAccount:
    """A customer's account in one currency, its entries the oldest first."""

    owner: str
    currency: str
    entries: list[FakeEntry] = field(default_factory=list)
    id: str = field(default_factory=lambda: _gid("StoreCreditAccount"))

    @property
    def balance(self) -> Decimal:
        """What can be spent."""
        return sum((each.remaining for each in self.entries), Decimal(0))

    def credit(self, amount: Decimal, at: datetime, expires_at: datetime | None = None) -> FakeEntry:
        """Add to it, as an app or the shop's people do."""
        entry = FakeEntry(
            "credit", amount, "ADJUSTMENT", at, self.balance + amount, expires_at, remaining=amount
        )
        self.entries.append(entry)
        return entry

    def debit(self, amount: Decimal, at: datetime, event: str = "ADJUSTMENT") -> FakeEntry | None:
        """Take from it; None where it holds less."""
        if amount > self.balance:
            return None
        debit, left = FakeEntry("debit", amount, event, at, self.balance - amount), amount
        ending = [each for each in self.entries if each.kind == "credit"]
        for each in sorted(ending, key=lambda one: (one.expires_at is None, one.expires_at or one.at)):
            part = min(each.remaining, left)
            if part:
                each.remaining -= part
                left -= part
                debit.took.append((each, part))
        self.entries.append(debit)
        return debit

    def pay(self, amount: Decimal, at: datetime) -> FakeEntry | None:
        """Pay for an order with it; None where it holds less."""
        return self.debit(amount, at, "ORDER_PAYMENT")

    def revert(self, debit: FakeEntry, at: datetime, event: str = "ORDER_CANCELLATION") -> None:
        """Give a payment back to the credits that it took."""
        for credit, part in debit.took:
            credit.remaining += part
        self.entries.append(FakeEntry("revert", debit.amount, event, at, self.balance, of=debit))
        debit.took = []

    def expire(self, at: datetime) -> None:
        """Take what is left of the credits that have ended by then."""
        for each in [one for one in self.entries if one.kind == "credit"]:
            if each.expires_at is not None and each.expires_at <= at and each.remaining:
                amount, each.remaining = each.remaining, Decimal(0)
                self.entries.append(FakeEntry("expiration", amount, "ADJUSTMENT", at, self.balance, of=each))
