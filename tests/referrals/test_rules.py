"""Tables of edges for the pure decisions about codes, redemptions and rewards."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.brands.programme import DiscountKind, HoldFrom, OfferTerms, PartialRefund, RewardKind, RewardTerms
from app.orders.rules import OrderMoney
from app.platforms.events import DisputeStatus
from app.referrals import amount_rules, eligibility_rules, period_rules, rules
from app.referrals.eligibility_rules import EligibilityInput, RewardLimits
from app.referrals.fold_rules import folded_status
from app.referrals.rules import CodeStatus, RedemptionStatus, RefusalReason
from tests.support.constants import NOW

FINE = EligibilityInput(
    redemptions_enabled=True,
    disabled=False,
    expired=False,
    uses_left=1,
    own_order=False,
    used_before=False,
    existing_customer=False,
    subtotal=8000,
    currency="EUR",
    discount_kind=DiscountKind.percent,
    code_currency="EUR",
    minimum_subtotal=None,
    new_customers_only=True,
    one_per_friend=True,
)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, None),
        ({"redemptions_enabled": False, "disabled": True}, RefusalReason.not_active),
        ({"disabled": True, "expired": True}, RefusalReason.disabled),
        ({"expired": True, "uses_left": 0}, RefusalReason.expired),
        ({"uses_left": 0, "own_order": True}, RefusalReason.exhausted),
        ({"own_order": True, "existing_customer": True}, RefusalReason.own_order),
        ({"used_before": True, "existing_customer": True}, RefusalReason.already_used_by_friend),
        ({"used_before": True, "one_per_friend": False}, None),
        ({"existing_customer": True}, RefusalReason.existing_customer),
        ({"existing_customer": True, "new_customers_only": False}, None),
        ({"ordered_before": True}, RefusalReason.existing_customer),
        ({"ordered_before": True, "new_customers_only": False}, None),
        ({"currency": "USD"}, None),
        ({"currency": "USD", "discount_kind": DiscountKind.amount}, RefusalReason.currency_mismatch),
        ({"currency": "USD", "minimum_subtotal": Decimal(1)}, RefusalReason.currency_mismatch),
        ({"minimum_subtotal": Decimal("80.00")}, None),
        ({"minimum_subtotal": Decimal("80.01")}, RefusalReason.minimum_not_met),
    ],
)
def test_first_reason_against_a_use(changed: dict, reason: RefusalReason | None) -> None:
    assert eligibility_rules.may_redeem(replace(FINE, **changed)) == reason


@pytest.mark.parametrize(
    ("changed", "is_other_buyer", "reason"),
    [
        ({}, True, None),
        ({"used_before": True}, False, None),
        ({"used_before": True}, True, RefusalReason.already_used_by_friend),
        ({"used_before": True, "one_per_friend": False}, True, None),
        ({"existing_customer": True}, False, None),
        ({"existing_customer": True}, True, RefusalReason.existing_customer),
        ({"ordered_before": True}, False, RefusalReason.existing_customer),
        ({"ordered_before": True, "new_customers_only": False}, True, None),
    ],
)
def test_a_use_is_lost_by_what_the_shop_states_of_earlier_orders(
    changed: dict, is_other_buyer: bool, reason: RefusalReason | None
) -> None:
    given = replace(FINE, **changed)
    assert eligibility_rules.may_keep(given, is_other_buyer=is_other_buyer) == reason


@pytest.mark.parametrize(
    ("reward", "changed", "reason"),
    [
        (1000, {}, None),
        (1000, {"granted": 4, "cap": 5}, None),
        (1000, {"granted": 5, "cap": 5}, RefusalReason.cap_reached),
        (1000, {"cap": 0}, RefusalReason.cap_reached),
        (0, {"granted": 5, "cap": 5}, None),
        (1000, {"spent": 9000, "budget": 10_000}, None),
        (1000, {"spent": 9001, "budget": 10_000}, RefusalReason.budget_spent),
        (1000, {"budget": 0}, RefusalReason.budget_spent),
        (0, {"spent": 10_001, "budget": 10_000}, None),
        (1000, {"granted": 5, "cap": 5, "budget": 0}, RefusalReason.cap_reached),
    ],
)
def test_first_limit_that_a_reward_would_pass(
    reward: int, changed: dict, reason: RefusalReason | None
) -> None:
    limits = RewardLimits(**({"granted": 0, "cap": None, "spent": 0, "budget": None} | changed))
    assert eligibility_rules.why_no_reward(reward, limits) == reason


@pytest.mark.parametrize(
    ("value", "goods", "currency", "reward"),
    [
        (1000, 8000, "EUR", 1000),
        (1000, 300, "EUR", 300),
        (1000, 300, "USD", 1000),
        (1000, 2, "EUR", 2),
        (1000, 1, "EUR", 0),
        (1000, 1, "USD", 0),
        (1000, 1, "JPY", 1000),
        (1000, 10, "KWD", 0),
        (1000, 11, "KWD", 1000),
    ],
)
def test_reward_is_never_more_than_the_goods_in_its_currency(
    value: int, goods: int, currency: str, reward: int
) -> None:
    order = OrderMoney(goods + 500, 500)
    found = amount_rules.reward_for(value, order, currency=currency, reward_currency="EUR")
    assert found == reward


@pytest.mark.parametrize(
    ("how", "minimum", "refunded", "currency", "left"),
    [
        (PartialRefund.threshold, None, 7500, "EUR", 500),
        (PartialRefund.threshold, None, 7500, "USD", 1000),
        (PartialRefund.threshold, "50.00", 3000, "EUR", 1000),
        (PartialRefund.threshold, "50.00", 3001, "EUR", 0),
        (PartialRefund.threshold, {"EUR": "50.00", "USD": "60.00"}, 2001, "USD", 0),
        (PartialRefund.threshold, {"EUR": "50.00"}, 7999, "USD", 1000),
        (PartialRefund.proportional, "50.00", 4000, "EUR", 500),
    ],
)
def test_what_refunds_leave_of_a_reward_is_by_the_terms_in_the_orders_currency(
    how: PartialRefund, minimum: object, refunded: int, currency: str, left: int
) -> None:
    found = amount_rules.reward_left(
        1000,
        OrderMoney(8000, refunded=refunded),
        RewardTerms(partial_refund=how),
        OfferTerms.model_validate({"minimum_subtotal": minimum}),
        currency=currency,
        reward_currency="EUR",
    )
    assert found == left


def test_terms_give_nothing_where_they_have_no_amount_in_the_currency_or_are_thanks_alone() -> None:
    terms = RewardTerms.model_validate({"value": {"EUR": "10.00", "JPY": "800"}})
    values = [amount_rules.reward_value(terms, each) for each in ("EUR", "JPY", "USD")]
    assert values == [1000, 800, 0]
    assert amount_rules.reward_value(RewardTerms(value=Decimal("7.99")), "JPY") == 7
    assert amount_rules.reward_value(RewardTerms(kind=RewardKind.none), "EUR") == 0


@pytest.mark.parametrize(
    ("kind", "value", "subtotal", "currency", "discounted", "off"),
    [
        (DiscountKind.percent, "10", 8000, "EUR", 0, 800),
        (DiscountKind.percent, "10", 8005, "EUR", 0, 801),
        (DiscountKind.percent, "12.5", 8000, "EUR", 0, 1000),
        (DiscountKind.percent, "10", 800, "JPY", 0, 80),
        (DiscountKind.percent, "100", 8000, "EUR", 0, 8000),
        (DiscountKind.amount, "5.00", 8000, "EUR", 0, 500),
        (DiscountKind.amount, "5.00", 300, "EUR", 0, 300),
        (DiscountKind.amount, "500", 800, "JPY", 0, 500),
        (DiscountKind.amount, "1.250", 8000, "KWD", 0, 1250),
        (DiscountKind.percent, "10", 8000, "EUR", 1, 1),
        (DiscountKind.percent, "10", 8000, "EUR", 700, 700),
        (DiscountKind.percent, "10", 8000, "EUR", 900, 800),
    ],
)
def test_amount_off(
    kind: DiscountKind, value: str, subtotal: int, currency: str, discounted: int, off: int
) -> None:
    assert amount_rules.amount_off(kind, Decimal(value), subtotal, currency, discounted=discounted) == off


def test_leaked_is_what_the_shop_took_off_and_no_more_than_the_terms() -> None:
    percent = {"kind": DiscountKind.percent, "value": Decimal(10), "code_currency": "EUR", "currency": "EUR"}
    assert amount_rules.leaked(subtotal=8000, discounted=0, **percent) == 0
    assert amount_rules.leaked(subtotal=8000, discounted=500, **percent) == 500
    assert amount_rules.leaked(subtotal=8000, discounted=5000, **percent) == 800
    assert amount_rules.leaked(subtotal=8000, discounted=5000, **(percent | {"currency": "USD"})) == 800
    amount = percent | {"kind": DiscountKind.amount}
    assert amount_rules.leaked(subtotal=8000, discounted=1700, **amount) == 1000
    assert amount_rules.leaked(subtotal=8000, discounted=1700, **(amount | {"currency": "USD"})) == 1700


@pytest.mark.parametrize(
    ("how", "minimum", "total", "refunded", "cancelled", "net"),
    [
        (PartialRefund.proportional, None, 8000, 0, False, 1000),
        (PartialRefund.proportional, None, 8000, 2000, False, 750),
        (PartialRefund.proportional, None, 9000, 1, False, 999),
        (PartialRefund.proportional, None, 8000, 8000, False, 0),
        (PartialRefund.proportional, None, 8000, 9000, False, 0),
        (PartialRefund.proportional, None, 8000, 0, True, 0),
        (PartialRefund.proportional, None, 0, 0, False, 1000),
        (PartialRefund.proportional, None, 0, 0, True, 0),
        (PartialRefund.threshold, 5000, 8000, 3000, False, 1000),
        (PartialRefund.threshold, 5000, 8000, 3001, False, 0),
        (PartialRefund.threshold, None, 8000, 7999, False, 1000),
        (PartialRefund.threshold, None, 8000, 8000, False, 0),
        (PartialRefund.threshold, 5000, 8000, 0, True, 0),
        (PartialRefund.threshold, None, 0, 0, False, 1000),
    ],
)
def test_net_reward(
    how: PartialRefund, minimum: int | None, total: int, refunded: int, cancelled: bool, net: int
) -> None:
    order = OrderMoney(total, refunded=refunded, cancelled=cancelled)
    assert amount_rules.net_reward(1000, order, how=how, minimum=minimum) == net


@pytest.mark.parametrize(
    ("shipping", "refunded", "refunded_shipping", "net"),
    [
        (500, 4000, 0, 500),
        (500, 8000, 0, 0),
        (500, 4500, 500, 500),
        (500, 500, 500, 1000),
        (500, 8500, 500, 0),
        (0, 4250, 500, 500),
        (8500, 0, 0, 1000),
        (8500, 8500, 8500, 0),
    ],
)
def test_shipping_that_is_kept_or_refunded_leaves_no_crumb_of_a_reward(
    shipping: int, refunded: int, refunded_shipping: int, net: int
) -> None:
    order = OrderMoney(8500, shipping, refunded, refunded_shipping)
    assert amount_rules.net_reward(1000, order, how=PartialRefund.proportional, minimum=None) == net


def test_what_the_shop_states_of_a_code_is_believed_whether_it_counts_or_not() -> None:
    def booked(*, stated: int | None, counts: bool, discounted: int = 2240) -> int:
        return amount_rules.booked_discount(
            DiscountKind.percent,
            Decimal(10),
            stated=stated,
            counts=counts,
            subtotal=8000,
            discounted=discounted,
            code_currency="EUR",
            currency="EUR",
        )

    assert booked(stated=640, counts=True) == booked(stated=640, counts=False) == 640
    assert booked(stated=0, counts=True) == 0
    assert booked(stated=None, counts=True) == 800
    assert booked(stated=None, counts=False) == 800
    for discounted, counted, leaked in ((0, 800, 0), (500, 500, 500)):
        assert booked(stated=None, counts=True, discounted=discounted) == counted
        assert booked(stated=None, counts=False, discounted=discounted) == leaked


def test_percentage_is_rounded_half_up() -> None:
    taken = [
        amount_rules.amount_off(DiscountKind.percent, Decimal(10), subtotal, "EUR")
        for subtotal in (8666, 8665, 8664, 5)
    ]
    assert taken == [867, 867, 866, 1]


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.lists(st.integers(0, 10**12), max_size=5),
    st.sampled_from(PartialRefund),
)
def test_net_reward_never_rises_with_a_refund(
    reward: int, total: int, refunds: list[int], how: PartialRefund
) -> None:
    sums = [sum(refunds[:count]) for count in range(len(refunds) + 1)]
    nets = [
        amount_rules.net_reward(reward, OrderMoney(total, refunded=refunded), how=how, minimum=100)
        for refunded in sums
    ]
    assert nets == sorted(nets, reverse=True)
    assert all(0 <= net <= reward for net in nets)


def test_code_status_names_the_most_serious_reason() -> None:
    def status(**given) -> CodeStatus:
        return rules.code_status(
            **({"disabled": False, "expires_at": NOW, "uses": 0, "max_uses": 1, "now": NOW} | given)
        )

    assert status(disabled=True) is CodeStatus.disabled
    assert status(uses=1) is CodeStatus.expired
    assert status(expires_at=NOW + timedelta(seconds=1), uses=1) is CodeStatus.exhausted
    assert status(expires_at=NOW + timedelta(seconds=1)) is CodeStatus.active


def test_status_transitions() -> None:
    allowed = {
        (start.value, end.value)
        for start in RedemptionStatus
        for end in RedemptionStatus
        if rules.may_become(start, end)
    }
    assert allowed == {
        ("pending", "approved"),
        ("pending", "rejected"),
        ("pending", "reversed"),
        ("in_review", "approved"),
        ("in_review", "rejected"),
        ("in_review", "reversed"),
        ("approved", "reversed"),
        ("rejected", "approved"),
    }


PLAIN, CANCELLED, REFUNDED = (
    OrderMoney(8000),
    OrderMoney(8000, cancelled=True),
    OrderMoney(8000, refunded=8000),
)


@pytest.mark.parametrize(
    ("decided", "order", "dispute", "status", "reason"),
    [
        ("pending", PLAIN, None, "pending", None),
        ("pending", OrderMoney(8000, refunded=7999), DisputeStatus.won, "pending", None),
        ("pending", CANCELLED, DisputeStatus.lost, "reversed", "cancelled"),
        ("approved", OrderMoney(8000, refunded=8000, cancelled=True), None, "reversed", "cancelled"),
        ("approved", REFUNDED, DisputeStatus.lost, "reversed", "refunded"),
        ("in_review", REFUNDED, None, "reversed", "refunded"),
        ("approved", PLAIN, DisputeStatus.lost, "reversed", "disputed"),
        ("pending", PLAIN, DisputeStatus.open, "in_review", "disputed"),
        ("in_review", PLAIN, DisputeStatus.open, "in_review", None),
        ("approved", PLAIN, DisputeStatus.open, "approved", None),
        ("refused", CANCELLED, DisputeStatus.lost, "refused", None),
        ("rejected", REFUNDED, DisputeStatus.open, "rejected", None),
    ],
)
def test_what_the_facts_of_an_order_make_of_a_redemption(
    decided: str, order: OrderMoney, dispute: DisputeStatus | None, status: str, reason: str | None
) -> None:
    assert folded_status(RedemptionStatus(decided), order, dispute) == (status, reason)


def test_hold_counts_from_its_fact() -> None:
    later = NOW + timedelta(days=3)
    assert period_rules.hold_end(NOW, later, HoldFrom.paid, 14) == NOW + timedelta(days=14)
    assert period_rules.hold_end(NOW, later, HoldFrom.delivered, 14) == later + timedelta(days=14)
    unknown = NOW + timedelta(days=30)
    assert period_rules.hold_end(NOW, None, HoldFrom.delivered, 14) == unknown + timedelta(days=14)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("day", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"),
        ("week", "2026-03-23T00:00+01:00", "2026-03-30T00:00+02:00"),
        ("month", "2026-03-01T00:00+01:00", "2026-04-01T00:00+02:00"),
        ("year", "2026-01-01T00:00+01:00", "2027-01-01T00:00+01:00"),
    ],
)
def test_budget_periods_follow_the_brands_calendar(period: str, start: str, end: str) -> None:
    found = period_rules.period_of(
        datetime(2026, 3, 28, 23, 30, tzinfo=UTC), period, ZoneInfo("Europe/Berlin")
    )
    assert found is not None
    assert [moment.isoformat(timespec="minutes") for moment in found] == [start, end]
    assert period_rules.period_of(NOW, "total", ZoneInfo("UTC")) is None
