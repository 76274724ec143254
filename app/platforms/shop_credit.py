"""Credit that a shop's platform holds for a customer: what is read of it, and what moves it.

Amounts are in major units of the account's currency, and never negative.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class CreditKind(StrEnum):
    """In what form a platform holds somebody's credit."""

    account = "account"
    """An account of the customer's, which is credited and debited."""
    coupon = "coupon"
    """A coupon for the customer's e-mail address, worth what is left."""


class EntryKind(StrEnum):
    """What an entry of a customer's account did to its balance."""

    credit = "credit"
    debit = "debit"
    revert = "revert"
    """A debit was taken back."""
    expiration = "expiration"
    """What was left of a credit at its end was taken."""


@dataclass(frozen=True, slots=True)
class CreditHolder:
    """Whose account it is; one of the ids is known."""

    currency: str
    customer_id: str | None
    """The customer's id at the platform."""
    account_id: str | None
    """The platform's id of the account, once we know it."""


@dataclass(frozen=True, slots=True)
class CreditEntry:
    """An entry of a customer's account as the platform has it."""

    kind: EntryKind
    amount: Decimal
    id: str | None = None
    """None where the platform gives it none."""
    is_adjustment: bool = False
    """Whether an app or the shop's people made it, and not an order."""
    balance_after: Decimal | None = None
    expires_at: datetime | None = None
    """Of a credit; None: it does not expire."""
    remaining: Decimal | None = None
    """What is left of a credit."""
    credit_id: str | None = None
    """The credit that expired."""


@dataclass(frozen=True, slots=True)
class CreditReport:
    """A customer's account; `entries` are the newest first, complete as far as asked for."""

    account_id: str | None
    """None where the customer has no account in this currency yet."""
    balance: Decimal
    entries: tuple[CreditEntry, ...]
    is_complete: bool = True
    """False where there were more entries than are read."""


@dataclass(frozen=True, slots=True)
class CreditMove:
    """A credit with its end, or a debit (`expires_at` None)."""

    amount: Decimal
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class MovedCredit:
    """The entry that a move made."""

    account_id: str
    entry_id: str
    balance_after: Decimal
