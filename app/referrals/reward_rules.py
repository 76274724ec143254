"""What a reward's status follows from, and how credit is spent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from app.brands.programme import RewardKind
from app.referrals.rules import RewardStatus


@dataclass(frozen=True, slots=True)
class RewardFacts:
    """All that a reward's status follows from; amounts in minor units of its currency.

    `counts`: whether its redemption counts. `net` is what refunds leave of `amount`, `used` what
    was spent of it. `was_used`: whether its code was used, however much that took off.
    """

    kind: RewardKind
    counts: bool
    granted: bool
    amount: int
    net: int
    used: int
    was_used: bool
    expired: bool


def reward_status(facts: RewardFacts) -> RewardStatus:
    """The status of a reward.

    One that was spent before its redemption was undone is `reversed` and keeps what was used.
    """
    if not facts.granted:
        return RewardStatus.pending if facts.counts else RewardStatus.cancelled
    if not facts.counts or (facts.net == 0 and facts.amount > 0):
        return RewardStatus.reversed
    if facts.was_used or 0 < facts.net <= facts.used:
        return RewardStatus.used
    return RewardStatus.expired if facts.expired else RewardStatus.granted


def lapsed_amount(facts: RewardFacts) -> int:
    """What can no longer be spent of a granted reward.

    A code is used once: what it did not take off lapses, and what it took off beyond `net` is
    written off (negative). Credit lapses when it expires; what was spent beyond `net` is carried as
    a negative balance.
    """
    if not facts.granted:
        return 0
    left = facts.net - facts.used
    match facts.kind:
        case RewardKind.code:
            return left if facts.was_used or facts.expired else 0
        case RewardKind.credit:
            return max(0, left) if facts.expired else 0
        case RewardKind.none:
            return 0
        case _:
            assert_never(facts.kind)


@dataclass(frozen=True, slots=True)
class CreditShare:
    """One granted reward's part of a balance, in minor units."""

    id: UUID
    net: int
    used: int
    expires_at: datetime
    expired: bool = False
    frozen: bool = False
    """While the payment of the order behind it is disputed."""

    @property
    def unspent(self) -> int:
        """What is left to spend, 0 for an expired one; negative where too much was spent."""
        left = self.net - self.used
        return min(0, left) if self.expired else left


@dataclass(frozen=True, slots=True)
class Balance:
    """A referrer's credit in one currency, in minor units.

    `total` is what is left of rewards, less what was spent beyond a reward that a refund reduced
    later; `available` is what can be reserved now: nothing where a connected shop holds it.
    """

    total: int
    frozen: int
    reserved: int
    available: int
    shop: str | None = None
    """The slug of the connected shop that holds it, in whose cart alone it is spent."""


def balance_of(shares: Sequence[CreditShare], reserved: int, *, now: datetime) -> Balance:
    """The balance at `now`, of which `reserved` is claimed.

    What has expired by `now` is gone, but for what a reservation claimed before: reservations take
    what expires first.
    """
    total = sum(share.unspent for share in shares)
    frozen = sum(max(0, share.unspent) for share in shares if share.frozen)
    due = sum(max(0, share.unspent) for share in shares if share.expires_at <= now and not share.frozen)
    total -= max(0, due - reserved)
    return Balance(total, frozen, reserved, max(0, total - frozen - reserved))


def spend(shares: Iterable[CreditShare], amount: int) -> list[CreditShare]:
    """The shares that change when an amount is spent, the oldest expiring first.

    Frozen ones are taken last. What no share can cover, since a refund reduced them after the
    amount was reserved, is added to the last one. Raises `ValueError` without any share.
    """
    ordered = sorted(shares, key=lambda share: (share.frozen, share.expires_at, share.id))
    if not ordered:
        raise ValueError("there is no reward to spend from")
    spent: dict[UUID, CreditShare] = {}
    for share in ordered:
        part = min(amount, max(0, share.unspent))
        if part:
            spent[share.id] = replace(share, used=share.used + part)
            amount -= part
    if amount:
        last = spent.get(ordered[-1].id, ordered[-1])
        spent[last.id] = replace(last, used=last.used + amount)
    return list(spent.values())


def give_back(shares: Iterable[CreditShare], amount: int) -> list[CreditShare]:
    """The shares that change when a spent amount is given back.

    The latest expiring first, so that as much as possible can be spent again; expired ones last.
    Raises `ValueError` for more than was spent.
    """
    ordered = sorted(shares, key=lambda share: (not share.expired, share.expires_at, share.id), reverse=True)
    changed = []
    for share in ordered:
        part = min(amount, share.used)
        if part:
            changed.append(replace(share, used=share.used - part))
            amount -= part
    if amount:
        raise ValueError("more is given back than was spent")
    return changed
