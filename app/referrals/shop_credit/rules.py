"""What a connected shop must have of somebody's credit, what was spent there, and the next move.

Amounts are minor units of the account's currency. Shopify spends what expires first, whoever gave
it; a debit of ours counts against our credits all the same, since what it left of others' stands in
for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.platforms.shop_credit import EntryKind
from app.referrals.reward_rules import CreditShare, balance_of

HOUR = timedelta(hours=1)
AFTER_THE_END = timedelta(minutes=1)
"""An account is read that long after a credit has ended in it."""
RESTORED_FOR = timedelta(days=365)
"""How long what was taken by mistake can be spent."""
LOOKED_AT_FOR = timedelta(days=7)
"""How long a debit that may be one of several waits for somebody to look at the account."""
KEYS_AN_HOUR = 3_600
ROUNDED_BY = timedelta(days=1)
"""How far a shop may move a credit's end that does not keep its second."""


class MoveKind(StrEnum):
    """What is moved between us and a customer's account in a shop."""

    credit = "credit"
    debit = "debit"
    restore = "restore"
    """Given back, since a debit took what was not ours: a payment came between."""


class MoveState(StrEnum):
    """Whether a move was made."""

    open = "open"
    """The platform is called, or was and the outcome is not known yet."""
    done = "done"
    dropped = "dropped"
    """The account shows that it was not made; it counts should it turn up late."""
    left = "left"
    """It was about an account that the shop is connected to no more."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move of an account's as it is stored."""

    id: UUID
    kind: MoveKind
    state: MoveState
    amount: int
    foreign_amount: int = 0
    left: int | None = None
    expires_at: datetime | None = None
    after_id: str | None = None
    balance_before: int | None = None
    held_before: int | None = None
    remote_id: str | None = None
    reward_id: UUID | None = None
    tried_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the account as the shop has it."""

    kind: EntryKind
    amount: int
    id: str | None = None
    is_adjustment: bool = False
    balance_after: int = 0
    expires_at: datetime | None = None
    remaining: int = 0
    credit_id: str | None = None


def last_use(expires_at: datetime) -> datetime:
    """The hour in which credit ends in the shop that expires then here: at least an hour before.

    So what was spent to the last is known here before the reward expires.
    """
    return expires_at.replace(minute=0, second=0, microsecond=0) - HOUR


def is_over(expires_at: datetime, *, now: datetime) -> bool:
    """Whether credit with this end is left to end in the shop, and is neither moved nor counted.

    `expires_at` is a reward's; for a move's own key, `is_key_over`.
    """
    return last_use(expires_at) <= now + HOUR


def is_key_over(key: datetime, *, now: datetime) -> bool:
    """As `is_over`, for the end of a credit in the shop."""
    return key.replace(minute=0, second=0, microsecond=0) <= now + HOUR


def key_of(expires_at: datetime, count: int) -> datetime:
    """The end of an account's next credit, which has made `count` of them: no other has it."""
    return last_use(expires_at) + timedelta(seconds=count % KEYS_AN_HOUR)


class Ambiguous(Exception):  # named as what it says
    """The outcome of a move cannot be known: only a person can tell. The text is for them."""


def keeps_ends(moves: Sequence[Move], entries: Sequence[Entry]) -> bool:
    """Whether the account has a credit of ours with the very end that it was given.

    Then the shop keeps the second, and a credit is found by its end alone.
    """
    ends = {each.id: each.expires_at for each in entries if each.kind is EntryKind.credit}
    return any(
        move.state is MoveState.done
        and move.expires_at is not None
        and ends.get(move.remote_id) == move.expires_at
        for move in moves
    )


def find_entry(
    move: Move,
    entries: Sequence[Entry],
    known: set[str],
    *,
    exact: bool = False,
    complete: bool,
    now: datetime,
) -> Entry | None:
    """The entry that an unfinished move has made, of those not `known`; the newest come first.

    `exact` is whether the shop keeps the second in which a credit ends (`keeps_ends`). None where
    it was not made. Raises `Ambiguous` for a debit that may be one of several; after
    `LOOKED_AT_FOR` it is the oldest of them, so that none is ever made twice.
    """
    if move.kind is not MoveKind.debit:
        return _find_credit(move, entries, known, exact=exact)
    newer = _newer(move, entries)
    if newer is None and not complete:
        raise Ambiguous("The account has too many entries to find a debit whose outcome is unknown.")
    debits = [
        each
        for each in (entries if newer is None else newer)
        if each.kind is EntryKind.debit
        and each.is_adjustment
        and each.amount == move.amount
        and each.id not in known
    ]
    if len(debits) > 1 and (move.tried_at is None or now < move.tried_at + LOOKED_AT_FOR):
        raise Ambiguous(
            "A debit whose outcome is unknown may be one of several of its amount that were made since: look at"
            " the customer's store credit in the shop's admin, and give back there what was taken twice."
        )
    return debits[-1] if debits else None


def _find_credit(move: Move, entries: Sequence[Entry], known: set[str], *, exact: bool) -> Entry | None:
    """The credit with the move's end; where the shop may round ends, one like it made since."""
    same = [
        each
        for each in entries
        if each.kind is EntryKind.credit and each.amount == move.amount and each.id not in known
    ]
    found = [each for each in same if each.expires_at == move.expires_at]
    if not found and not exact:
        newer = _newer(move, entries) or ()
        found = [each for each in same if each in newer and each.is_adjustment and _is_near(each, move)]
    return found[-1] if found else None


def _is_near(entry: Entry, move: Move) -> bool:
    if entry.expires_at is None or move.expires_at is None:
        return False
    return abs(entry.expires_at - move.expires_at) <= ROUNDED_BY


def _newer(move: Move, entries: Sequence[Entry]) -> Sequence[Entry] | None:
    """The entries since the newest one before the move; None where that one is not among them."""
    if move.after_id is None:
        return entries
    place = next((place for place, each in enumerate(entries) if each.id == move.after_id), None)
    return None if place is None else entries[:place]


def foreign_part(move: Move, balance_after: int) -> int:
    """How much of a debit was taken from what is not ours.

    A payment between the reading and the debit took our credit first; what it took cannot be what
    the debit took.
    """
    if move.balance_before is None or move.held_before is None:
        return 0
    paid_between = max(0, move.balance_before - move.amount - balance_after)
    return max(0, move.amount - max(0, move.held_before - paid_between))


@dataclass(frozen=True, slots=True)
class AccountState:
    """What an account is worth to us.

    `held`: what can be spent of ours; `spent`: what customers spent of it in all; `owed`: what was
    taken of others' and not given back; `left`: by finished credit, what is left of it.
    """

    held: int
    spent: int
    owed: int
    left: Mapping[UUID, int]


def account_state_of(moves: Sequence[Move], entries: Sequence[Entry], *, now: datetime) -> AccountState:
    """What the account's entries leave of our finished moves.

    A credit whose entry was not read has what was left of it the last time.
    """
    remaining = {each.id: each.remaining for each in entries if each.kind is EntryKind.credit}
    lapsed = {each.credit_id: each.amount for each in entries if each.kind is EntryKind.expiration}
    given = taken = over = owed = 0
    left: dict[UUID, int] = {}
    for move in (each for each in moves if each.state is MoveState.done):
        match move.kind:
            case MoveKind.debit:
                taken += move.amount - move.foreign_amount
                owed += move.foreign_amount
            case MoveKind.restore:
                owed -= move.amount
            case MoveKind.credit:
                before = move.amount if move.left is None else move.left
                # What was left at its end was not spent.
                rest = lapsed.get(move.remote_id, remaining.get(move.remote_id, before))
                given, left[move.id] = given + move.amount, rest
                if move.expires_at is not None and is_key_over(move.expires_at, now=now):
                    over += rest
    spent = max(0, given - taken - sum(left.values()))
    return AccountState(max(0, given - taken - spent - over), spent, owed, left)


def wanted_shares(shares: Sequence[CreditShare], *, now: datetime) -> list[CreditShare]:
    """The rewards' shares without what is left to end in the shop."""
    return [replace(share, expired=True) if is_over(share.expires_at, now=now) else share for share in shares]


@dataclass(frozen=True, slots=True)
class NextMove:
    """A move that is to be made; `expires_at` is its key, None for a debit."""

    kind: MoveKind
    amount: int
    expires_at: datetime | None
    reward_id: UUID | None


def next_move(
    shares: Sequence[CreditShare],
    reserved: int,
    moves: Sequence[Move],
    account: AccountState,
    *,
    now: datetime,
) -> NextMove | None:
    """What brings the shop nearer to what it must have; None where it has that."""
    count = sum(each.expires_at is not None for each in moves)
    if account.owed > 0:
        return NextMove(MoveKind.restore, account.owed, key_of(now + RESTORED_FOR, count), None)
    usable = wanted_shares(shares, now=now)
    wanted = balance_of(usable, reserved, now=now).available
    missing = wanted - account.held
    have = {share.id: 0 for share in usable}
    for move in moves:
        if move.state is MoveState.done and move.reward_id in have:
            sign = -1 if move.kind is MoveKind.debit else 1
            have[move.reward_id] += sign * move.amount
    if missing < 0:
        excess = {each.id: have[each.id] - _worth(each) for each in usable}
        about = max(excess, key=lambda one: excess[one]) if excess else None
        return NextMove(MoveKind.debit, -missing, None, about)
    if missing == 0:
        return None
    open_shares = [each for each in usable if _worth(each) > 0]
    open_shares.sort(key=lambda each: (each.expires_at, each.id), reverse=True)
    share = next((each for each in open_shares if _worth(each) > have[each.id]), open_shares[0])
    amount = (
        missing if len(open_shares) == 1 else min(missing, max(_worth(share) - have[share.id], 0) or missing)
    )
    return NextMove(MoveKind.credit, amount, key_of(share.expires_at, count), share.id)


def _worth(share: CreditShare) -> int:
    """What may be spent of it."""
    return 0 if share.frozen or share.expired else max(0, share.unspent)
