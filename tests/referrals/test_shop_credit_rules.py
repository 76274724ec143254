"""Whatever happens to an account, the shop comes to have what the rewards leave."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.base.ids import new_id
from app.demo.fakes.shopify.credit_state import FakeAccount, FakeEntry
from app.platforms.shop_credit import EntryKind
from app.referrals.reward_rules import CreditShare, balance_of, give_back, spend
from app.referrals.shop_credit.rules import (
    LOOKED_AT_FOR,
    RESTORED_FOR,
    AccountState,
    Ambiguous,
    Entry,
    Move,
    MoveKind,
    MoveState,
    account_state_of,
    find_entry,
    foreign_part,
    is_key_over,
    is_over,
    keeps_ends,
    key_of,
    last_use,
    next_move,
    wanted_shares,
)
from tests.support.constants import NOW


@dataclass
class Life:
    """A referrer, their rewards, and their account in the shop; others may credit it too."""

    chance: random.Random
    has_others: bool
    now = NOW
    account: FakeAccount = field(default_factory=lambda: FakeAccount("7", "EUR"))
    shares: list[CreditShare] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    payments: list[FakeEntry] = field(default_factory=list)
    paid: int = 0
    spent: int = 0

    def earn(self) -> None:
        ends = self.now + timedelta(days=self.chance.randint(2, 40), minutes=self.chance.randint(0, 999))
        self.shares.append(CreditShare(new_id(), 1000, 0, ends))

    def refund(self) -> None:
        if self.shares:
            place = self.chance.randrange(len(self.shares))
            share = self.shares[place]
            self.shares[place] = replace(share, net=self.chance.randint(0, share.net))

    def pay(self) -> None:
        amount = self.chance.randint(0, int(self.account.balance))
        if amount:
            payment = self.account.pay(Decimal(amount), self.now)
            assert payment is not None
            self.payments.append(payment)
            self.paid += amount

    def revert(self) -> None:
        if self.payments:
            payment = self.payments.pop()
            if all(each.expires_at is None or each.expires_at > self.now for each, _ in payment.took):
                self.account.revert(payment, self.now)
                self.paid -= int(payment.amount)

    def others(self) -> None:
        if self.has_others:
            ends = self.chance.choice([None, self.now + timedelta(days=3)])
            self.account.credit(Decimal(self.chance.randint(1, 2000)), self.now, ends)

    def wait(self) -> None:
        for _ in range(self.chance.randint(1, 72)):
            self.now += timedelta(hours=1)
            self.account.expire(self.now)
            self.read()
            self.shares = [
                replace(each, expired=each.expired or each.expires_at <= self.now) for each in self.shares
            ]

    def read(self) -> AccountState:
        """As the sweep: what was spent is booked."""
        account = account_state_of(self.moves, self.entries(), now=self.now)
        more = account.spent - self.spent
        changed = []
        if more > 0:
            changed = spend(self.shares, more)
        elif more < 0:
            changed = give_back(self.shares, -more)
        by_id = {each.id: each for each in changed}
        self.shares = [by_id.get(each.id, each) for each in self.shares]
        self.spent = account.spent
        self.moves = [replace(each, left=account.left.get(each.id, each.left)) for each in self.moves]
        return account

    def hold(self) -> AccountState:
        for _ in range(20):
            account = self.read()
            found = next_move(self.shares, 0, self.moves, account, now=self.now)
            if found is None:
                return account
            move = Move(
                new_id(),
                found.kind,
                MoveState.done,
                found.amount,
                expires_at=found.expires_at,
                balance_before=int(self.account.balance),
                held_before=account.held,
                reward_id=found.reward_id,
            )
            if found.kind is not MoveKind.debit:
                entry = self.account.credit(Decimal(found.amount), self.now, found.expires_at)
            else:
                if self.chance.random() < 0.3:
                    self.pay()
                debit = self.account.debit(Decimal(found.amount), self.now)
                if debit is None:
                    continue  # refused: too little is left
                entry = debit
                move = replace(move, foreign_amount=foreign_part(move, int(entry.balance)))
            self.moves.append(replace(move, remote_id=entry.id))
        raise AssertionError("it never ends")

    def entries(self) -> list[Entry]:
        return [
            Entry(
                EntryKind(each.kind),
                int(each.amount),
                each.id,
                each.event == "ADJUSTMENT",
                int(each.balance),
                each.expires_at,
                int(each.remaining),
                None if each.of is None else each.of.id,
            )
            for each in reversed(self.account.entries)
        ]


@pytest.mark.parametrize("has_others", [False, True], ids=["alone", "with others' credit"])
def test_account_is_brought_to_what_the_rewards_leave(has_others):
    for seed in range(12):
        life = Life(random.Random(seed), has_others)
        steps = [life.earn, life.earn, life.refund, life.pay, life.pay, life.revert, life.others, life.wait]
        for _ in range(25):
            life.chance.choice(steps)()
            account = life.hold()
            usable = wanted_shares(life.shares, now=life.now)
            assert account.held == balance_of(usable, 0, now=life.now).available, seed
            assert account.owed == 0, seed
            assert account.held <= life.account.balance, seed
            # What was given back on suspicion counts as spent of ours: it can be spent for it.
            restored = sum(each.amount for each in life.moves if each.kind is MoveKind.restore)
            assert account.spent - restored <= life.paid, seed
            if not has_others:
                ending = sum(
                    int(each.remaining)
                    for each in life.account.entries
                    if each.expires_at is not None
                    and is_over(each.expires_at + timedelta(hours=1), now=life.now)
                )
                assert account.spent == life.paid, seed
                assert life.account.balance == account.held + ending, seed
        keys = [each.expires_at for each in life.moves if each.expires_at is not None]
        assert len(keys) == len(set(keys))


KEY = datetime(2026, 6, 1, 9, 0, 7, tzinfo=UTC)
"""The end that a credit is given."""


def credit_entry(number: int, ends: datetime | None, amount: int = 1000, *, by_hand: bool = True) -> Entry:
    return Entry(EntryKind.credit, amount, f"entry-{number}", by_hand, amount, ends, amount)


@pytest.mark.parametrize(
    ("entry", "is_found"),
    [
        (credit_entry(2, KEY), True),
        (credit_entry(2, KEY.replace(second=0)), True),
        (credit_entry(2, KEY.replace(hour=23, minute=59, second=59)), True),
        (credit_entry(2, KEY.replace(second=0), 999), False),
        (credit_entry(2, KEY + timedelta(days=2)), False),
        (credit_entry(2, KEY - timedelta(days=2)), False),
        (replace(credit_entry(2, KEY), kind=EntryKind.revert), False),
        (credit_entry(2, KEY.replace(second=0), by_hand=False), False),
        (credit_entry(2, None), False),
    ],
)
def test_a_credit_is_found_whether_or_not_the_shop_keeps_the_second_in_which_it_ends(entry, is_found):
    move = Move(new_id(), MoveKind.credit, MoveState.open, 1000, expires_at=KEY, after_id="entry-1")
    before = credit_entry(1, KEY.replace(second=0))
    found = find_entry(move, [entry, before], set(), complete=True, now=NOW)
    assert (found is entry, found is None) == (is_found, not is_found), "never one of before"
    assert find_entry(move, [entry, before], {"entry-2"}, complete=True, now=NOW) is None
    assert find_entry(move, [entry], set(), complete=False, now=NOW) is (
        entry if is_found and entry.expires_at == KEY else None
    )


def test_where_a_shop_has_kept_the_second_a_credit_that_ends_nearby_is_nobodys_but_its_givers():
    done = Move(new_id(), MoveKind.credit, MoveState.done, 500, expires_at=KEY, remote_id="entry-1")
    kept, rounded = credit_entry(1, KEY, 500), credit_entry(1, KEY.replace(second=0), 500)
    assert (keeps_ends([done], [kept]), keeps_ends([done], [rounded]), keeps_ends([], [kept])) == (
        True,
        False,
        False,
    )
    move = replace(
        done, id=new_id(), state=MoveState.open, expires_at=KEY + timedelta(seconds=1), remote_id=None
    )
    by_hand = credit_entry(2, KEY.replace(second=0), 500)
    assert find_entry(move, [by_hand, kept], {"entry-1"}, exact=True, complete=True, now=NOW) is None
    debit = replace(done, kind=MoveKind.debit, expires_at=None, remote_id=None)
    assert not keeps_ends([debit], [rounded])
    assert not keeps_ends([replace(done, state=MoveState.open)], [kept])
    assert not keeps_ends([done], [replace(kept, kind=EntryKind.expiration)])


def debit_entry(number: int, amount: int = 400, *, by_hand: bool = True) -> Entry:
    return Entry(EntryKind.debit, amount, f"entry-{number}", by_hand, 600)


DEBIT = Move(new_id(), MoveKind.debit, MoveState.open, 400, after_id="entry-1", tried_at=NOW)
BEFORE = debit_entry(1)


@pytest.mark.parametrize(
    ("entries", "known", "found"),
    [
        ([debit_entry(2), BEFORE], set(), 0),
        ([BEFORE], set(), None),
        ([debit_entry(2, by_hand=False), BEFORE], set(), None),
        ([debit_entry(2, 399), BEFORE], set(), None),
        ([replace(debit_entry(2), kind=EntryKind.credit), BEFORE], set(), None),
        ([debit_entry(2), BEFORE], {"entry-2"}, None),
        ([debit_entry(3), debit_entry(2), BEFORE], {"entry-2"}, 0),
    ],
)
def test_a_debit_is_found_among_what_was_made_by_hand_since(
    entries: list[Entry], known: set[str], found: int | None
):
    for complete in (True, False):
        made = find_entry(DEBIT, entries, known, complete=complete, now=NOW)
        assert made is (None if found is None else entries[found])


def test_a_debit_that_cannot_be_told_from_others_waits_for_a_person_and_is_never_made_twice():
    several = [debit_entry(3), debit_entry(2), BEFORE]
    late = NOW + LOOKED_AT_FOR
    for move, now in (
        (DEBIT, NOW),
        (DEBIT, late - timedelta(seconds=1)),
        (replace(DEBIT, tried_at=None), late),
    ):
        with pytest.raises(Ambiguous, match="several"):
            find_entry(move, several, set(), complete=True, now=now)
    assert find_entry(DEBIT, several, set(), complete=True, now=late) is several[1]
    far = replace(DEBIT, after_id="entry-0")
    assert find_entry(far, [BEFORE], set(), complete=True, now=NOW) is BEFORE
    assert find_entry(replace(DEBIT, after_id=None), [BEFORE], set(), complete=True, now=NOW) is BEFORE
    for entries in ([], [BEFORE]):
        with pytest.raises(Ambiguous, match="too many"):
            find_entry(far, entries, set(), complete=False, now=NOW)


def test_the_first_credit_that_was_made_is_found_where_none_was_known_before():
    move = Move(new_id(), MoveKind.credit, MoveState.open, 1000, expires_at=KEY)
    rounded = credit_entry(1, KEY.replace(second=0))
    assert find_entry(move, [rounded], set(), complete=True, now=NOW) is rounded
    twice = [credit_entry(2, KEY), credit_entry(1, KEY)]
    assert find_entry(move, twice, set(), complete=True, now=NOW) is twice[1]


def test_credit_ends_in_the_shop_an_hour_before_the_reward_and_each_at_a_second_of_its_own():
    ends = datetime(2026, 6, 1, 10, 30, 15, 500, tzinfo=UTC)
    assert last_use(ends) == datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert key_of(ends, 7) == KEY
    assert [key_of(ends, count) - last_use(ends) for count in (3599, 3600, 3601)] == [
        timedelta(seconds=3599),
        timedelta(0),
        timedelta(seconds=1),
    ]
    for minutes, over in ((0, True), (-1, False)):
        now = datetime(2026, 6, 1, 8, tzinfo=UTC) + timedelta(minutes=minutes)
        assert is_over(ends, now=now) is is_key_over(KEY, now=now) is over
        assert is_key_over(key_of(ends, 3599), now=now) is over


@pytest.mark.parametrize(
    ("held", "balance", "after", "foreign"),
    [
        (600, 1000, 500, 0),
        (300, 1000, 500, 200),
        (600, 1000, 300, 100),
        (100, 1000, 0, 500),
        (600, 1000, 900, 0),
        (300, 1000, 600, 200),
    ],
)
def test_a_debit_takes_others_credit_where_a_payment_has_taken_ours(
    held: int, balance: int, after: int, foreign: int
):
    move = Move(new_id(), MoveKind.debit, MoveState.done, 500, balance_before=balance, held_before=held)
    assert foreign_part(move, after) == foreign
    assert foreign_part(replace(move, balance_before=None), after) == 0
    assert foreign_part(replace(move, held_before=None), after) == 0


def test_an_account_is_worth_what_its_entries_leave_of_the_moves_that_were_made():
    def credit(number: int, amount: int, ends: datetime = KEY, **given: int) -> Move:
        remote_id = f"entry-{number}"
        return Move(
            new_id(), MoveKind.credit, MoveState.done, amount, expires_at=ends, remote_id=remote_id, **given
        )

    shown, unread, ended = credit(1, 1000), credit(2, 500, left=300), credit(3, 400, NOW)
    debit = Move(new_id(), MoveKind.debit, MoveState.done, 200, foreign_amount=50)
    restore = Move(new_id(), MoveKind.restore, MoveState.done, 20, expires_at=KEY)
    unmade = replace(credit(4, 999), state=MoveState.open)
    entries = [
        Entry(EntryKind.expiration, 150, credit_id="entry-3"),
        replace(credit_entry(1, KEY), remaining=600),
    ]
    found = account_state_of([shown, unread, ended, debit, restore, unmade], entries, now=NOW)
    assert found == AccountState(900, 700, 30, {shown.id: 600, unread.id: 300, ended.id: 150})
    never_read = account_state_of([replace(unread, left=None)], [], now=NOW)
    assert never_read == AccountState(500, 0, 0, {unread.id: 500})


def test_next_move_is_about_the_reward_that_lacks_most_or_has_too_much():
    sooner = CreditShare(new_id(), 500, 0, NOW + timedelta(days=10))
    later = CreditShare(new_id(), 1000, 0, NOW + timedelta(days=20))

    def made(share: CreditShare, amount: int, kind: MoveKind = MoveKind.credit) -> Move:
        ends = None if kind is MoveKind.debit else KEY
        return Move(new_id(), kind, MoveState.done, amount, expires_at=ends, reward_id=share.id)

    def found(shares: list[CreditShare], moves: list[Move], held: int, reserved: int = 0, owed: int = 0):
        move = next_move(shares, reserved, moves, AccountState(held, 0, owed, {}), now=NOW)
        return None if move is None else (move.kind, move.amount, move.expires_at, move.reward_id)

    credit, debit = MoveKind.credit, MoveKind.debit
    assert found([later], [], 0) == (credit, 1000, key_of(later.expires_at, 0), later.id)
    assert found([later], [], 0, reserved=200) == (credit, 800, key_of(later.expires_at, 0), later.id)
    assert found([later], [made(later, 1000)], 1000) is None
    both = [sooner, later]
    assert found(both, [], 0) == (credit, 1000, key_of(later.expires_at, 0), later.id)
    moves = [made(later, 1000), made(later, 600, debit)]
    assert found(both, moves, 400) == (credit, 600, key_of(later.expires_at, 1), later.id)
    assert found(both, [made(later, 1000)], 1000) == (credit, 500, key_of(sooner.expires_at, 1), sooner.id)
    reduced = [replace(sooner, net=200), later]
    moves = [made(later, 1000), made(sooner, 500)]
    assert found(reduced, moves, 1500) == (debit, 300, None, sooner.id)
    undone = [replace(each, state=MoveState.dropped) for each in moves]
    assert found(both, undone, 0) == (credit, 1000, key_of(later.expires_at, 2), later.id)
    owed = (MoveKind.restore, 30, key_of(NOW + RESTORED_FOR, 1), None)
    assert found(both, [made(later, 1000)], 0, owed=30) == owed
    assert found([], [], 100) == (debit, 100, None, None)
