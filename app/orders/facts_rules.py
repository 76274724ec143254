"""What can be reported about an order besides that it was paid, each thing once. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from app.base.frozen import quick
from app.platforms.events import DisputeStatus


class FactKind(StrEnum):
    """What can be reported about an order besides that it was paid."""

    fulfilled = "fulfilled"
    delivered = "delivered"
    partly_fulfilled = "partly_fulfilled"
    """A parcel was sent, or an unnamed part of the order."""
    partly_delivered = "partly_delivered"
    parcel_cancelled = "parcel_cancelled"
    cancelled = "cancelled"
    refunded = "refunded"
    refund_deleted = "refund_deleted"
    """The shop has deleted the refund of this key, which counts no more."""
    disputed = "disputed"


REVOCABLE = "revocable"
"""The key of a cancellation, or of a doubt about the payment, that the shop may take back."""
ROLLED_BACK = "rollback:"
"""How the key of a refund begins that was recorded here, so that no shop knows it."""


@quick
@dataclass(frozen=True, slots=True)
class ReportedFact:
    """One thing that was reported about an order.

    `key` is the id of a parcel, refund or dispute, the parcels of an order that was fulfilled,
    `REVOCABLE`, and empty otherwise; a refund without one is all refunds together. `amount` is that
    of a refund or dispute and `shipping` the part of a refund for shipping, both in major units.
    `dispute` is where a dispute stood at that time; `quantity` how many pieces a parcel holds.
    """

    kind: FactKind
    at: datetime
    key: str = ""
    amount: Decimal | None = None
    dispute: DisputeStatus | None = None
    shipping: Decimal | None = None
    quantity: Decimal | None = None

    def merged(self, other: "ReportedFact") -> "ReportedFact":
        """Two reports of one fact: the earliest time and the largest amount and quantity count.

        Of a dispute the latest report counts; of two at one time the worse for the shop. So does it
        of a cancellation that the shop may take back.
        """
        if self.kind is FactKind.disputed:
            return max(self, other, key=_dispute_rank)
        if self.key == REVOCABLE and self.kind is FactKind.cancelled:
            return max(self, other, key=lambda fact: fact.at)
        larger = max(self, other, key=lambda fact: (fact.amount or Decimal(-1), fact.shipping or Decimal(0)))
        quantities = [each for each in (self.quantity, other.quantity) if each is not None]
        return ReportedFact(
            self.kind,
            min(self.at, other.at),
            self.key,
            larger.amount,
            None,
            larger.shipping,
            max(quantities, default=None),
        )


def _dispute_rank(fact: ReportedFact) -> tuple[datetime, int, Decimal]:
    worse = (DisputeStatus.won, DisputeStatus.open, DisputeStatus.lost)
    return fact.at, -1 if fact.dispute is None else worse.index(fact.dispute), fact.amount or Decimal(0)


def each_once(facts: Iterable[ReportedFact]) -> list[ReportedFact]:
    """The facts without repetitions, which are merged."""
    once: dict[tuple[FactKind, str], ReportedFact] = {}
    for fact in facts:
        known = once.get((fact.kind, fact.key))
        once[fact.kind, fact.key] = fact if known is None else known.merged(fact)
    return list(once.values())


def cancelled_at(facts: Iterable[ReportedFact], stood_at: datetime | None) -> datetime | None:
    """When an order was cancelled; None for one that never was, or that the shop took up again.

    `stood_at` is when the shop last said that it was not.
    """
    found = [fact for fact in facts if fact.kind is FactKind.cancelled]
    return min((fact.at for fact in found if _holds(fact, stood_at)), default=None)


def _holds(fact: ReportedFact, stood_at: datetime | None) -> bool:
    return fact.key != REVOCABLE or stood_at is None or fact.at >= stood_at


def standing_refunds(facts: Iterable[ReportedFact]) -> list[ReportedFact]:
    """The refunds among the facts of one order that the shop has not deleted."""
    known = list(facts)
    deleted = {fact.key for fact in known if fact.kind is FactKind.refund_deleted}
    return [fact for fact in known if fact.kind is FactKind.refunded and fact.key not in deleted]


def refunded_amount(facts: Iterable[ReportedFact]) -> Decimal:
    """What the refunds among the facts of one order add up to, in major units.

    At least what was reported of all of them together.
    """
    refunds = [(fact.key, fact.amount or Decimal(0)) for fact in facts if fact.kind is FactKind.refunded]
    together = max((amount for key, amount in refunds if not key), default=Decimal(0))
    return max(together, sum((amount for key, amount in refunds if key), Decimal(0)))


def dispute_status(facts: Iterable[ReportedFact], stood_at: datetime | None) -> DisputeStatus | None:
    """Where an order's disputes stand together: lost outweighs open, open outweighs won.

    `stood_at` as in `cancelled_at`.
    """
    found = {fact.dispute for fact in facts if _holds(fact, stood_at)}
    ranked = (DisputeStatus.lost, DisputeStatus.open, DisputeStatus.won)
    return next((each for each in ranked if each in found), None)
