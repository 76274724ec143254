"""What the decisions of a batch leave for the next ones: uses, rewards, budgets, friends."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.base.ids import new_id
from app.brands.programme import DiscountKind, Programme
from app.brands.terms import terms_of
from app.orders.rules import OrderMoney
from app.referrals.candidates import CodeOwner, RedemptionCandidate, RedemptionContext, counts_at
from app.referrals.eligibility_rules import may_redeem
from app.referrals.models import Code
from app.referrals.rules import CodeKind, RefusalReason
from tests.support.constants import NOW

TERMS, REFERRER, OTHER, OWNER = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
BUDGET = (None, "EUR")


def code_of(number: int, *, parent: int | None = None, referrer: UUID = REFERRER, **given: Any) -> Code:
    values: dict[str, Any] = {
        "id": UUID(int=number),
        "kind": CodeKind.share if parent is None else CodeKind.friend,
        "parent_id": None if parent is None else UUID(int=parent),
        "referrer_id": referrer,
        "terms_id": TERMS,
        "max_uses": 10,
        "uses": 0,
        "expires_at": NOW + timedelta(days=1),
        "discount_kind": DiscountKind.percent,
        "currency": "EUR",
    }
    return Code(**(values | given))


def context_of(
    *codes: Code, offer: dict[str, Any] | None = None, reward: dict[str, Any] | None = None
) -> RedemptionContext:
    programme = Programme.model_validate({"offer": offer or {}, "reward": reward or {}})
    owner = CodeOwner(OWNER, "owner@example.com", "+4930123", revoked=False)
    return RedemptionContext(
        programme,
        {TERMS: terms_of(programme)},
        ZoneInfo("UTC"),
        {each.id: each for each in codes},
        {REFERRER: owner, OTHER: CodeOwner(None, None, None, revoked=False)},
        existing=(),
        emails=set(),
        phones=set(),
        counted=Counter(),
        spent={},
        marks={},
        buyers={(OWNER, b"account")},
    )


def order_of(number: int, **given: Any) -> RedemptionCandidate:
    values: dict[str, Any] = {
        "key": UUID(int=100 + number),
        "entered": (),
        "slug": None,
        "customer_id": UUID(int=200 + number),
        "email_key": f"friend{number}@example.com",
        "phone": f"+49301{number}",
        "placed_at": NOW,
        "subtotal": 8000,
        "currency": "EUR",
        "shop_currency": "EUR",
        "money": OrderMoney(8000),
    }
    return RedemptionCandidate(**(values | given))


def why_not(context: RedemptionContext, order: RedemptionCandidate, code: Code) -> RefusalReason | None:
    return may_redeem(context.eligibility_of(order, code))


@pytest.mark.parametrize(
    ("changed", "is_buyer"),
    [
        ({}, False),
        ({"customer_id": OWNER}, True),
        ({"email_key": "owner@example.com"}, True),
        ({"phone": "+4930123"}, True),
        ({"buyer_key": b"account"}, True),
        ({"buyer_key": b"another"}, False),
        ({"customer_id": None, "email_key": None, "phone": None}, False),
    ],
)
def test_order_is_the_referrers_own_by_any_of_what_identifies_them(changed: dict, *, is_buyer: bool):
    share, of_nobody = code_of(10), code_of(11, referrer=OTHER)
    context, order = context_of(share, of_nobody), replace(order_of(1), **changed)
    assert context.eligibility_of(order, share).own_order is is_buyer
    assert not context.eligibility_of(order, of_nobody).own_order


@pytest.mark.parametrize(
    ("programme", "code", "order", "reason"),
    [
        ({}, {}, {}, None),
        ({"redemptions_enabled": False}, {}, {}, RefusalReason.not_active),
        ({"ends_at": NOW}, {}, {}, RefusalReason.not_active),
        ({"ends_at": NOW + timedelta(seconds=1)}, {}, {}, None),
        ({"starts_at": NOW + timedelta(seconds=1)}, {}, {}, RefusalReason.not_active),
        ({}, {"disabled_at": NOW}, {}, RefusalReason.disabled),
        ({}, {"expires_at": NOW}, {}, RefusalReason.expired),
        ({}, {"expires_at": NOW + timedelta(seconds=1)}, {}, None),
        ({}, {}, {"ordered_before": True}, RefusalReason.existing_customer),
        ({}, {}, {"key": UUID(int=999)}, RefusalReason.existing_customer),
        ({}, {"minimum_subtotal": Decimal("80.01")}, {}, RefusalReason.minimum_not_met),
        ({}, {"discount_kind": DiscountKind.amount}, {"currency": "USD"}, RefusalReason.currency_mismatch),
        ({}, {"discount_kind": DiscountKind.amount, "currency": "USD"}, {"currency": "USD"}, None),
    ],
)
def test_what_is_known_of_programme_code_and_order_decides(
    programme: dict, code: dict, order: dict, reason: RefusalReason | None
):
    share = code_of(10, **code)
    context = context_of(share)
    context.programme = context.programme.model_copy(update=programme)
    context.existing = {UUID(int=999)}
    assert why_not(context, replace(order_of(1), **order), share) is reason
    context.owners = {REFERRER: replace(context.owners[REFERRER], revoked=True)}
    if reason is not RefusalReason.not_active:
        assert why_not(context, order_of(1), share) is RefusalReason.disabled


def test_each_use_of_a_batch_counts_at_the_code_and_at_its_share_code():
    share, friends = code_of(10, max_uses=3, uses=1), code_of(11, parent=10, max_uses=1)
    context = context_of(share, friends)
    assert counts_at(friends) == (friends.id, share.id)
    assert [context.eligibility_of(order_of(1), each).uses_left for each in (share, friends)] == [2, 1]
    context.take(order_of(1), friends)
    assert [context.eligibility_of(order_of(2), each).uses_left for each in (share, friends)] == [1, 0]
    context.take(order_of(2), share)
    assert why_not(context, order_of(3), share) is RefusalReason.exhausted
    disabled = code_of(10, disabled_at=NOW)
    assert context_of(disabled, friends).eligibility_of(order_of(1), friends).disabled


def test_friend_who_used_a_code_in_the_batch_is_known_by_address_and_phone():
    for given, changed, reason in (
        ({}, {"phone": None}, RefusalReason.already_used_by_friend),
        ({}, {"email_key": None}, RefusalReason.already_used_by_friend),
        ({}, {"email_key": None, "phone": None}, None),
        ({"one_per_friend": False}, {}, None),
    ):
        share = code_of(10)
        context = context_of(share, offer=given)
        context.take(order_of(1), share)
        assert why_not(context, replace(order_of(1), **changed), share) is reason
        assert why_not(context, order_of(2), share) is None
        assert context.emails == (set() if given else {"friend1@example.com"})
    trial, context = replace(order_of(1), trial=True), context_of(share)
    context.take(trial, share)
    assert context.emails == context.phones == set()
    context.take(order_of(1), share)
    assert why_not(context, trial, share) is None


def test_rewards_of_a_batch_count_against_the_cap_and_those_of_nothing_do_not():
    share = code_of(10)
    context = context_of(share, reward={"cap_per_referrer": 2})
    worthless = replace(order_of(9), money=OrderMoney(1))
    taken = [context.take(each, share) for each in (worthless, *map(order_of, range(3)))]
    assert [(each.reward, each.none_because) for each in taken] == [
        (0, None),
        (1000, None),
        (1000, None),
        (0, RefusalReason.cap_reached),
    ]
    assert context.counted == {REFERRER: 2}
    assert context.take(replace(order_of(4), money=None), share).reward == 0


def test_budget_is_spent_by_the_rewards_of_a_batch_but_by_no_trial_and_freed_by_what_is_decided_anew():
    share = code_of(10)
    context = context_of(share, reward={"budget": {"amount": "20.00", "period": "total"}})
    context.take(replace(order_of(1), trial=True), share)
    assert context.spent == {}
    taken = [context.take(order_of(number), share) for number in range(2, 5)]
    assert [(each.reward, each.none_because) for each in taken] == [
        (1000, None),
        (1000, None),
        (0, RefusalReason.budget_spent),
    ]
    assert context.spent == {BUDGET: 2000}
    context.release(replace(order_of(1), trial=True), 1000)
    assert context.spent == {BUDGET: 2000}
    context.release(order_of(2), 1000)
    assert context.spent == {BUDGET: 1000}
    assert context.take(order_of(5), share).reward == 1000


def test_reward_in_another_currency_than_the_order_waits_for_a_person():
    share = code_of(10)
    found = context_of(share).take(replace(order_of(1), currency="USD"), share)
    assert (found.reward, found.review) == (1000, RefusalReason.currency_mismatch)
    nobody = replace(order_of(1), currency="USD", email_key=None, phone=None)
    assert context_of(share).take(nobody, share).review is RefusalReason.suspected_fraud
    without = context_of(share, reward={"kind": "none"}).take(replace(order_of(1), currency="USD"), share)
    assert (without.reward, without.review) == (0, None)


def test_who_lives_or_pays_as_an_earlier_friend_of_the_referrer_is_suspected():
    share, of_another = code_of(10), code_of(11, referrer=OTHER)
    first = replace(order_of(1), address_key=b"flat 3", redemption_id=UUID(int=501))
    second = replace(order_of(2), address_key=b"flat 3", redemption_id=UUID(int=502))
    context = context_of(share, of_another)
    assert context.take(first, share).review is None
    assert context.take(second, share).review is RefusalReason.suspected_fraud
    # Decided anew, the first is still the first, and nobody is suspected for their own address.
    assert not context.is_suspect(first, share)
    assert context.is_suspect(replace(first, redemption_id=None), share)
    assert not context.is_suspect(second, of_another)
    assert not context.is_suspect(replace(second, address_key=b"flat 4"), share)
    assert context.is_suspect(replace(second, address_key=None, payment_key=b"flat 3"), share)
    alone = context_of(share)
    alone.take(first, share)
    assert not alone.is_suspect(replace(first, redemption_id=None), share)
    assert alone.is_suspect(replace(order_of(3), email_key=None, phone=None), share)
    assert not alone.is_suspect(replace(order_of(3), email_key=None), share)
    alone.take(replace(order_of(4), address_key=b"flat 5", trial=True), share)
    assert not alone.is_suspect(replace(order_of(5), address_key=b"flat 5"), share)
    # Neither an order whose buyer turns out to be another person is suspected for itself.
    assert not alone.is_suspect(replace(first, customer_id=UUID(int=299)), share)
    alone.take(replace(order_of(6), address_key=b"flat 6"), share)
    later = replace(order_of(7), address_key=b"flat 6", redemption_id=new_id())
    assert alone.is_suspect(later, share)
