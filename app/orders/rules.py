"""An order's state is a fold of its facts: their order, duplicates and lateness cannot matter."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from app.base.money import MAX_MINOR, exponent
from app.base.text import one_line
from app.platforms.events import DisputeStatus

_MAX_ID = 255


class FactKind(StrEnum):
    """What can be reported about an order besides that it was paid."""

    fulfilled = "fulfilled"
    delivered = "delivered"
    cancelled = "cancelled"
    refunded = "refunded"
    disputed = "disputed"


class OrderStatus(StrEnum):
    """How far an order has come; the last one that applies."""

    paid = "paid"
    fulfilled = "fulfilled"
    delivered = "delivered"
    refunded = "refunded"
    cancelled = "cancelled"


@dataclass(frozen=True, slots=True)
class ReportedFact:
    """One thing that was reported about an order.

    `key` is the id of a refund or dispute and empty otherwise; `amount` is theirs, in major units;
    `dispute` is where a dispute stood at that time.
    """

    kind: FactKind
    at: datetime
    key: str = ""
    amount: Decimal | None = None
    dispute: DisputeStatus | None = None

    def merged(self, other: "ReportedFact") -> "ReportedFact":
        """Two reports of one fact: the earliest time and the largest amount count.

        Of a dispute the latest report counts; of two at one time the worse for the shop.
        """
        if self.kind is FactKind.disputed:
            return max(self, other, key=_dispute_rank)
        amounts = [amount for amount in (self.amount, other.amount) if amount is not None]
        return ReportedFact(self.kind, min(self.at, other.at), self.key, max(amounts, default=None))


def _dispute_rank(fact: ReportedFact) -> tuple[datetime, int, Decimal]:
    worse = (DisputeStatus.won, DisputeStatus.open, DisputeStatus.lost)
    return fact.at, -1 if fact.dispute is None else worse.index(fact.dispute), fact.amount or Decimal(0)


@dataclass(frozen=True, slots=True)
class OrderState:
    """The state of an order, as its row stores it.

    `refunded` is in minor units. `dispute` None: its payment was never disputed.
    """

    fulfilled_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None
    refunded: int = 0
    status: OrderStatus = OrderStatus.paid
    dispute: DisputeStatus | None = None


def external_order_id(given: str) -> str:
    """A shop's id of an order or refund as it is stored: one line of at most 255 characters."""
    return one_line(given, limit=_MAX_ID)


def fold(facts: Iterable[ReportedFact], *, total: int, currency: str) -> OrderState:
    """The state that the facts of one order add up to.

    Of each kind the earliest time counts, and each refund once.
    """
    once: dict[tuple[FactKind, str], ReportedFact] = {}
    for fact in facts:
        known = once.get((fact.kind, fact.key))
        once[fact.kind, fact.key] = fact if known is None else known.merged(fact)
    if not once:
        return OrderState()
    at = {
        kind: min((fact.at for fact in once.values() if fact.kind is kind), default=None) for kind in FactKind
    }
    refunds = (
        refund_minor(fact.amount or Decimal(0), currency)
        for fact in once.values()
        if fact.kind is FactKind.refunded
    )
    refunded = min(sum(refunds), MAX_MINOR)
    status = order_status(
        fulfilled=at[FactKind.fulfilled] is not None,
        delivered=at[FactKind.delivered] is not None,
        cancelled=at[FactKind.cancelled] is not None,
        total=total,
        refunded=refunded,
    )
    return OrderState(
        at[FactKind.fulfilled],
        at[FactKind.delivered],
        at[FactKind.cancelled],
        refunded,
        status,
        dispute_status(fact.dispute for fact in once.values()),
    )


def dispute_status(disputes: Iterable[DisputeStatus | None]) -> DisputeStatus | None:
    """The status of all disputes of an order together: lost before open, open before won."""
    found = set(disputes)
    return next(
        (each for each in (DisputeStatus.lost, DisputeStatus.open, DisputeStatus.won) if each in found), None
    )


def refund_minor(amount: Decimal, currency: str) -> int:
    """A refund in minor units of its order's currency: never negative, at most `MAX_MINOR`.

    Decimals beyond the currency's are cut off: a refund may come before its order, so it cannot be
    refused for them, and nobody loses a reward to a fraction that cannot have been paid.
    """
    minor = math.floor(Fraction(amount) * Fraction(10) ** exponent(currency))
    return max(0, min(minor, MAX_MINOR))


def remaining_total(total: int, refunded: int, *, cancelled: bool) -> int:
    """The order's total less all refunds, in minor units: never below 0, and 0 when cancelled."""
    return 0 if cancelled else max(0, total - refunded)


def order_status(
    *, fulfilled: bool, delivered: bool, cancelled: bool, total: int, refunded: int
) -> OrderStatus:
    """The status that is shown. `refunded` means in full: a partial refund changes no status."""
    if cancelled:
        return OrderStatus.cancelled
    if refunded > 0 and remaining_total(total, refunded, cancelled=False) == 0:
        return OrderStatus.refunded
    if delivered:
        return OrderStatus.delivered
    return OrderStatus.fulfilled if fulfilled else OrderStatus.paid


def comparable_address(parts: Sequence[str]) -> str | None:
    """A shipping address on one line in comparable form, or None where it names no building.

    Case, accents, punctuation and spaces are dropped. A town or a postal code alone is shared by
    many people, so an address needs a first part that holds a number and more, or at least four
    parts.
    """
    plain = [re.sub(r"[\W_]+", "", _folded(part)) for part in parts if part]
    plain = [part for part in plain if part]
    street = plain[0] if plain else ""
    names_a_building = any(letter.isdigit() for letter in street) and not street.isdigit() and len(plain) > 1
    return "|".join(plain) if names_a_building or len(plain) > 3 else None


def _folded(text: str) -> str:
    """Case folded, without accents."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
