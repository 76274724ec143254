"""Tables of edges for rewards: their status, what lapses, and how credit is spent."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.base.ids import new_id
from app.brands.programme import RewardKind
from app.referrals.own_use_rules import OwnCodeInput, why_not_own_code
from app.referrals.reward_rules import (
    CreditShare,
    RewardFacts,
    balance_of,
    give_back,
    lapsed_amount,
    reward_status,
    spend,
)
from app.referrals.rules import RefusalReason, RewardStatus
from tests.support.constants import NOW

GRANTED = RewardFacts(
    kind=RewardKind.code,
    counts=True,
    granted=True,
    amount=1000,
    net=1000,
    used=0,
    was_used=False,
    expired=False,
)
CREDIT = replace(GRANTED, kind=RewardKind.credit)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("facts", "status", "lapsed"),
    [
        (replace(GRANTED, granted=False), "pending", 0),
        (replace(GRANTED, granted=False, counts=False, net=0), "cancelled", 0),
        (GRANTED, "granted", 0),
        (replace(GRANTED, was_used=True, used=600), "used", 400),
        (replace(GRANTED, was_used=True, used=0), "used", 1000),
        (replace(GRANTED, was_used=True, used=1000, net=500), "used", -500),
        (replace(GRANTED, expired=True), "expired", 1000),
        (replace(GRANTED, expired=True, was_used=True, used=1000), "used", 0),
        (replace(GRANTED, net=0), "reversed", 0),
        (replace(GRANTED, counts=False, net=0, was_used=True, used=1000), "reversed", -1000),
        (replace(GRANTED, amount=0, net=0), "granted", 0),
        (replace(GRANTED, amount=0, net=0, counts=False), "reversed", 0),
        (replace(CREDIT, used=400), "granted", 0),
        (replace(CREDIT, used=1000), "used", 0),
        (replace(CREDIT, used=400, expired=True), "expired", 600),
        (replace(CREDIT, used=1000, net=500), "used", 0),
        (replace(CREDIT, used=1000, net=500, expired=True), "used", 0),
    ],
)
def test_status_and_what_lapses(facts: RewardFacts, status: str, lapsed: int) -> None:
    assert (reward_status(facts), lapsed_amount(facts)) == (status, lapsed)


def share(net: int, used: int = 0, days: int = 1, **given: bool) -> CreditShare:
    return CreditShare(new_id(), net, used, NOW + days * DAY, **given)


def test_balance_leaves_out_what_expired_is_frozen_or_reserved() -> None:
    shares = [share(1000), share(500, days=0), share(300, frozen=True), share(700, expired=True)]
    found = balance_of(shares, 0, now=NOW)
    assert (found.total, found.frozen, found.reserved, found.available) == (1300, 300, 0, 1000)
    # What was reserved before it expired is kept for its reservation.
    found = balance_of(shares, 200, now=NOW)
    assert (found.total, found.reserved, found.available) == (1500, 200, 1000)
    overdrawn = balance_of([share(200, used=500), share(1000, days=2)], 0, now=NOW)
    assert (overdrawn.total, overdrawn.available) == (700, 700)
    assert balance_of([share(0, used=500)], 0, now=NOW).available == 0


def test_oldest_expiring_is_spent_first_and_given_back_last() -> None:
    late, early, frozen = share(1000, days=9), share(400, days=1), share(400, days=0, frozen=True)
    spent = {one.id: one.used for one in spend([late, early, frozen], 600)}
    assert spent == {early.id: 400, late.id: 200}
    back = give_back([replace(late, used=200), replace(early, used=400)], 300)
    assert {one.id: one.used for one in back} == {late.id: 0, early.id: 300}
    # What no share covers is owed by the last one.
    assert {one.id: one.used for one in spend([early], 500)} == {early.id: 500}
    with pytest.raises(ValueError, match="more is given back"):
        give_back([early], 1)
    with pytest.raises(ValueError, match="no reward"):
        spend([], 1)


@given(
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 9), st.booleans()), min_size=1, max_size=6),
    st.lists(st.integers(1, 500), max_size=6),
)
def test_spending_and_giving_back_add_up(nets: list[tuple[int, int, bool]], amounts: list[int]) -> None:
    shares = {one.id: one for one in (share(net, days=days, frozen=frozen) for net, days, frozen in nets)}
    before = sum(one.unspent for one in shares.values())
    for amount in amounts:
        shares |= {one.id: one for one in spend(shares.values(), amount)}
    assert before - sum(one.unspent for one in shares.values()) == sum(amounts)
    for amount in amounts:
        shares |= {one.id: one for one in give_back(shares.values(), amount)}
    assert all(one.used == 0 for one in shares.values())


FINE = OwnCodeInput(
    is_owner=True,
    revoked=False,
    disabled=False,
    status=RewardStatus.granted,
    frozen=False,
    used_here=False,
    expired=False,
    same_currency=True,
)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, None),
        ({"is_owner": False, "disabled": True}, RefusalReason.unknown_code),
        ({"disabled": True}, RefusalReason.disabled),
        ({"revoked": True}, RefusalReason.disabled),
        ({"status": RewardStatus.reversed}, RefusalReason.disabled),
        ({"status": RewardStatus.used}, RefusalReason.exhausted),
        ({"status": RewardStatus.used, "used_here": True, "expired": True}, None),
        ({"expired": True, "frozen": True}, RefusalReason.expired),
        ({"frozen": True}, RefusalReason.disputed),
        ({"same_currency": False}, RefusalReason.currency_mismatch),
    ],
)
def test_first_reason_against_an_own_code(changed: dict, reason: RefusalReason | None) -> None:
    assert why_not_own_code(replace(FINE, **changed)) == reason
