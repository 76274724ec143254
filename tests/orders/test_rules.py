"""The fold of an order's facts: no order, repeat or lateness can matter."""

from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.orders.facts_rules import REVOCABLE, FactKind, ReportedFact, dispute_status
from app.orders.rules import (
    OrderMoney,
    OrderState,
    OrderStatus,
    comparable_address,
    fold,
    order_status,
    refund_minor,
)
from app.platforms.events import DisputeStatus
from tests.support.constants import NOW

HOUR = timedelta(hours=1)
FACTS = [
    ReportedFact(FactKind.fulfilled, NOW),
    ReportedFact(FactKind.fulfilled, NOW + HOUR),
    ReportedFact(FactKind.delivered, NOW + 2 * HOUR),
    ReportedFact(FactKind.refunded, NOW + HOUR, "r1", Decimal("10.00")),
    ReportedFact(FactKind.refunded, NOW + 3 * HOUR, "r2", Decimal("5.559")),
    ReportedFact(FactKind.cancelled, NOW + 4 * HOUR),
]


def test_facts_in_any_order_make_one_state() -> None:
    states = {fold(order, total=8000, currency="EUR") for order in permutations(FACTS)}
    assert states == {OrderState(NOW, NOW + 2 * HOUR, NOW + 4 * HOUR, 1556, 0, OrderStatus.cancelled)}


@pytest.mark.parametrize("stood", [None, 0, 1, 2, 3, 4])
def test_order_that_is_taken_up_again_stands(stood: int | None) -> None:
    reports = [ReportedFact(FactKind.cancelled, NOW + hours * HOUR, REVOCABLE) for hours in (1, 3)]
    stood_at = None if stood is None else NOW + stood * HOUR
    for order in permutations(reports):
        # Of what the shop may take back the latest report counts, whichever came first.
        state = fold(order, total=8000, currency="EUR", stood_at=stood_at)
        assert state.cancelled_at == (None if stood == 4 else NOW + 3 * HOUR)
    for_good = [ReportedFact(FactKind.cancelled, NOW + hours * HOUR) for hours in (2, 1)]
    state = fold([*reports, *for_good], total=8000, currency="EUR", stood_at=stood_at)
    assert (state.cancelled_at, state.status) == (NOW + HOUR, OrderStatus.cancelled)


fact = st.builds(
    ReportedFact,
    st.sampled_from([FactKind.fulfilled, FactKind.delivered, FactKind.cancelled]),
    st.integers(0, 5).map(lambda hours: NOW + hours * HOUR),
)
refund = st.builds(
    ReportedFact,
    st.just(FactKind.refunded),
    st.integers(0, 5).map(lambda hours: NOW + hours * HOUR),
    st.sampled_from(["r1", "r2", "r3"]),
    st.decimals(0, 100, places=3),
)


dispute = st.builds(
    ReportedFact,
    st.just(FactKind.disputed),
    st.integers(0, 3).map(lambda hours: NOW + hours * HOUR),
    st.sampled_from(["d1", "d2"]),
    st.none() | st.decimals(0, 100, places=2),
    st.sampled_from(DisputeStatus),
)


@given(
    st.lists(fact | refund | dispute, max_size=8).flatmap(
        lambda facts: st.tuples(st.just(facts), st.permutations(facts + facts[:3]))
    )
)
def test_repetition_and_lateness_do_not_matter(both: tuple[list[ReportedFact], list[ReportedFact]]) -> None:
    plain, shuffled = both
    assert fold(plain, total=5000, currency="EUR") == fold(shuffled, total=5000, currency="EUR")


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ([], OrderStatus.paid),
        ([FACTS[0]], OrderStatus.fulfilled),
        ([FACTS[2]], OrderStatus.delivered),
        ([FACTS[2], FACTS[3]], OrderStatus.delivered),
        ([FACTS[2], ReportedFact(FactKind.refunded, NOW, "all", Decimal(80))], OrderStatus.refunded),
        ([ReportedFact(FactKind.refunded, NOW, "more", Decimal(800))], OrderStatus.refunded),
        ([ReportedFact(FactKind.refunded, NOW, "all", Decimal(80)), FACTS[5]], OrderStatus.cancelled),
        ([ReportedFact(FactKind.refunded, NOW, "none", Decimal(0))], OrderStatus.paid),
        ([ReportedFact(FactKind.refunded, NOW, "none")], OrderStatus.paid),
    ],
)
def test_status_is_the_last_that_applies(facts: list[ReportedFact], status: OrderStatus) -> None:
    assert fold(facts, total=8000, currency="EUR").status is status


def test_latest_word_about_a_dispute_decides() -> None:
    told = [
        ReportedFact(FactKind.disputed, NOW + hours * HOUR, "d1", dispute=status)
        for hours, status in enumerate((DisputeStatus.open, DisputeStatus.lost, DisputeStatus.won))
    ]
    found = {fold(order, total=8000, currency="EUR").dispute for order in permutations(told)}
    assert found == {DisputeStatus.won}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((DisputeStatus.lost, None), (DisputeStatus.open, None)),
        ((DisputeStatus.open, None), (DisputeStatus.won, None)),
        ((DisputeStatus.won, None), (None, None)),
        ((DisputeStatus.open, Decimal(5)), (DisputeStatus.open, Decimal(4))),
        ((DisputeStatus.open, Decimal(5)), (DisputeStatus.open, None)),
    ],
)
def test_of_two_reports_of_a_dispute_at_one_time_the_worse_counts(
    one: tuple[DisputeStatus | None, Decimal | None], other: tuple[DisputeStatus | None, Decimal | None]
) -> None:
    worse, better = (
        ReportedFact(FactKind.disputed, NOW, "d1", amount, status) for status, amount in (one, other)
    )
    assert worse.merged(better) == better.merged(worse) == worse


def test_of_several_disputes_a_lost_one_outweighs_an_open_one_and_that_a_won_one() -> None:
    every = (DisputeStatus.won, DisputeStatus.open, DisputeStatus.lost)
    facts = [ReportedFact(FactKind.disputed, NOW, each, dispute=each) for each in every]
    assert [dispute_status(facts[: count + 1], None) for count in range(3)] == [*every]
    assert dispute_status([], None) is None


@pytest.mark.parametrize(("stood", "doubted"), [(None, True), (1, True), (2, True), (3, False)])
def test_payment_is_doubted_until_the_order_stands_again(stood: int | None, doubted: bool) -> None:
    reports = [
        ReportedFact(FactKind.disputed, NOW + hours * HOUR, REVOCABLE, dispute=DisputeStatus.open)
        for hours in (1, 2)
    ]
    stood_at = None if stood is None else NOW + stood * HOUR
    for order in permutations(reports):
        state = fold(order, total=8000, currency="EUR", stood_at=stood_at)
        assert state.dispute is (DisputeStatus.open if doubted else None)
    named = ReportedFact(FactKind.disputed, NOW, "d1", dispute=DisputeStatus.lost)
    assert fold([*reports, named], total=1, currency="EUR", stood_at=stood_at).dispute is DisputeStatus.lost


def test_free_order_is_not_refunded() -> None:
    assert order_status(OrderMoney(0), fulfilled=False, delivered=False, cancelled=False) is OrderStatus.paid


@pytest.mark.parametrize(
    ("money", "is_refunded"),
    [
        (OrderMoney(1, refunded=1), True),
        (OrderMoney(8500, 500, 8000), True),
        (OrderMoney(8500, 500, 7999), False),
        (OrderMoney(8500, 500, 8400, 400), True),
        (OrderMoney(8500, 500, 8399, 400), False),
        (OrderMoney(500, 500, 499, 499), False),
        (OrderMoney(500, 500, 500), True),
        (OrderMoney(8500, 500, 0, cancelled=True), False),
    ],
)
def test_order_is_refunded_once_its_goods_are_or_all_of_one_that_is_shipping_alone(
    money: OrderMoney, *, is_refunded: bool
) -> None:
    assert money.is_refunded is is_refunded
    assert money.is_undone is (is_refunded or money.cancelled)


@pytest.mark.parametrize(
    ("refunds", "wholly", "expected"),
    [
        ([], True, (8500, 0, OrderStatus.refunded)),
        ([("r1", "90.00", None)], True, (9000, 0, OrderStatus.refunded)),
        ([("r1", "10.00", "4.00"), ("r2", "2.00", "1.00")], False, (1200, 500, OrderStatus.paid)),
        ([("r1", "10.00", "40.00")], False, (1000, 1000, OrderStatus.paid)),
        ([("r1", "10.00", "4.00"), ("r1", "12.00", "3.00")], False, (1200, 300, OrderStatus.paid)),
        ([("r1", "10.00", "4.00"), ("r1", "10.00", None)], False, (1000, 400, OrderStatus.paid)),
        ([("r1", None, None)], False, (0, 0, OrderStatus.paid)),
        ([("r1", None, None), ("r1", "0.50", "0.50")], False, (50, 50, OrderStatus.paid)),
    ],
)
def test_of_one_refund_the_largest_report_counts_with_its_part_for_shipping(
    refunds: list[tuple[str, str | None, str | None]], *, wholly: bool, expected: tuple[object, ...]
) -> None:
    facts = [
        ReportedFact(
            FactKind.refunded,
            NOW,
            key,
            None if amount is None else Decimal(amount),
            shipping=None if shipping is None else Decimal(shipping),
        )
        for key, amount, shipping in refunds
    ]
    for order in permutations(facts):
        state = fold(order, total=8500, shipping_total=500, currency="EUR", refunded_wholly=wholly)
        assert (state.refunded, state.refunded_shipping, state.status) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("10", "EUR", 1000),
        ("10.995", "EUR", 1100),
        ("7.997", "EUR", 800),
        ("80.0037", "EUR", 8000),
        ("0.004", "EUR", 0),
        ("1500.5", "JPY", 1501),
        ("1.2345", "KWD", 1235),
        ("-5", "EUR", 0),
        ("9" * 19, "KWD", 10**15),
    ],
)
def test_refund_is_rounded_half_up_to_the_decimals_of_its_currency(
    amount: str, currency: str, minor: int
) -> None:
    assert refund_minor(Decimal(amount), currency) == minor


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("1 Main St.", "Flat 3", "10115", "Berlin", "DE"), "1mainst|flat3|10115|berlin|de"),
        ((" 1  MAIN ST ", "FLAT-3", "10115", "Berlin", "de"), "1mainst|flat3|10115|berlin|de"),
        (("Straße 5, Whg. 12", "", "50667", "Köln", "DE"), "strasse5whg12|50667|koln|de"),
        (("5 Main St #12", "", "97205", "Portland", "US"), "5mainst12|97205|portland|us"),
        (("12/4 High St", "", "3000", "Melbourne", "AU"), "124highst|3000|melbourne|au"),
        (("Ringstr. 5, 3. OG", "", "1010", "Wien", "AT"), "ringstr53og|1010|wien|at"),
        (("5 Rue Verte, 2 étage", "", "1000", "Bruxelles", "BE"), "5rueverte2etage|1000|bruxelles|be"),
        (("Main St", "Flat A", "10115", "Berlin", "DE"), None),
        (("1 Main St", "", "10115", "Berlin", "DE"), None),
        (("Main St", "", "10115", "Berlin", "DE"), None),
        (("", "", "10115", "Berlin", "DE"), None),
        (("12", "34", "10115", "Berlin", "DE"), None),
        (("...", "", "-"), None),
        ((), None),
    ],
)
def test_address_is_comparable_when_it_names_a_dwelling(parts: tuple[str, ...], line: str | None) -> None:
    assert comparable_address(parts) == line


def test_all_refunds_together_are_the_least_and_are_added_to_none():
    def refunds(*pairs: tuple[str, str]) -> int:
        facts = [ReportedFact(FactKind.refunded, NOW, key, Decimal(amount)) for key, amount in pairs]
        return fold(facts, total=8000, currency="EUR").refunded

    assert refunds(("", "12.00")) == 1200
    assert refunds(("", "12.00"), ("r1", "12.00")) == 1200
    assert refunds(("", "12.00"), ("r1", "5.00")) == 1200
    assert refunds(("", "12.00"), ("r1", "12.00"), ("r2", "3.00")) == 1500
