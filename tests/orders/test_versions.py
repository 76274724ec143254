"""Versions of an order and reports of its parcels add up to one state, in any order."""

from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.orders.facts_rules import FactKind, ReportedFact
from app.orders.parcel_rules import count_pieces, parcels_key
from app.orders.rules import OrderMoney, OrderState, fold
from app.orders.version_rules import OrderVersion, from_row, merged, to_row, version_of
from tests.support.constants import NOW

HOUR = timedelta(hours=1)
hours = st.integers(0, 3).map(lambda count: NOW + count * HOUR)


amounts = st.none() | st.integers(0, 3)
versions = st.builds(
    version_of,
    hours,
    hours,
    st.fixed_dictionaries(
        {
            "currency": st.just("EUR"),
            "total": st.integers(0, 3),
            "subtotal": amounts,
            "number": st.sampled_from([None, "#1", "#2"]),
            "discount_codes": st.sampled_from([[], ["ANA"], ["ANA", "BEN"]]),
            "discount_amounts": st.sampled_from([{}, {"a": 1}, {"a": 2, "b": 1}]),
            "placed_at": st.none() | hours,
            "paid_at": st.none() | hours,
            "stood_at": st.none() | hours,
            "refunded_wholly": st.booleans(),
            "ordered_before": st.sampled_from([None, True]),
            "test": st.sampled_from([False]),
        }
    ),
)


@given(
    st.lists(versions, min_size=1, max_size=4).flatmap(
        lambda told: st.tuples(st.just(told), st.permutations([*told, *told[:2]]))
    )
)
def test_order_and_repetition_of_versions_do_not_matter(
    both: tuple[list[OrderVersion], list[OrderVersion]],
) -> None:
    plain, shuffled = both
    assert to_row(merged(plain), "1") == to_row(merged(shuffled), "1")


@given(st.lists(versions, min_size=1, max_size=4))
def test_row_stands_for_the_versions_it_was_made_of(told: list[OrderVersion]) -> None:
    """What is stored after each version is enough to merge the next one into."""
    stored = to_row(told[0], "1")
    for version in told[1:]:
        stored = to_row(merged([from_row(stored), version]), "1")
    assert stored == to_row(merged(told), "1")


def test_newest_statement_of_each_field_counts_and_silence_states_nothing() -> None:
    old = version_of(NOW, NOW, {"total": 80, "number": "#1", "referral": "abc", "source": "web"})
    new = version_of(NOW + HOUR, NOW, {"total": 90, "number": None, "referral": "xyz", "tags": []})
    row = to_row(merged([new, old]), "1")
    assert (row["total"], row["number"], row["referral"], row["source"]) == (90, "#1", "xyz", "web")
    assert (row["subtotal"], row["version_at"]) == (90, NOW + HOUR)
    assert (row["discount_total"], row["shipping_total"], row["tags"], row["test"]) == (0, 0, [], False)


def test_version_that_is_reported_twice_was_placed_by_the_first_report() -> None:
    reports = [version_of(NOW, NOW + count * HOUR, {"total": 80}) for count in (1, 0, 2)]
    changed = version_of(NOW + HOUR, NOW - HOUR, {"total": 90})
    assert {to_row(merged(order), "1")["placed_at"] for order in permutations(reports)} == {NOW}
    assert to_row(merged([*reports, changed]), "1")["placed_at"] == NOW - HOUR


def test_first_payment_that_is_stated_is_when_the_order_was_paid() -> None:
    told = [
        version_of(NOW + count * HOUR, NOW, {"total": 1, "paid_at": paid_at, "placed_at": NOW})
        for count, paid_at in enumerate((None, NOW + 3 * HOUR, NOW + 2 * HOUR))
    ]
    assert {to_row(merged(order), "1")["paid_at"] for order in permutations(told)} == {NOW + 2 * HOUR}
    assert to_row(told[0], "1")["paid_at"] == NOW


def test_last_time_that_an_order_stood_is_kept_where_a_later_report_knows_an_earlier_one() -> None:
    told = [
        version_of(NOW + count * HOUR, NOW, {"total": 1, "stood_at": stood_at})
        for count, stood_at in enumerate((NOW, NOW + HOUR, NOW, None))
    ]
    assert {to_row(merged(order), "1")["stood_at"] for order in permutations(told)} == {NOW + HOUR}


# Parcels


def sent(parcel: str, at: int, pieces: int | None = None) -> ReportedFact:
    quantity = None if pieces is None else Decimal(pieces)
    return ReportedFact(FactKind.partly_fulfilled, NOW + at * HOUR, parcel, quantity=quantity)


def arrived(parcel: str, at: int) -> ReportedFact:
    return ReportedFact(FactKind.partly_delivered, NOW + at * HOUR, parcel)


def cancelled(parcel: str, at: int) -> ReportedFact:
    return ReportedFact(FactKind.parcel_cancelled, NOW + at * HOUR, parcel)


def whole(at: int, *parcels: str) -> ReportedFact:
    return ReportedFact(FactKind.fulfilled, NOW + at * HOUR, parcels_key(parcels))


WHOLE_ARRIVED = ReportedFact(FactKind.delivered, NOW + 9 * HOUR)


@pytest.mark.parametrize(
    ("facts", "pieces", "fulfilled", "delivered"),
    [
        pytest.param([sent("a", 1, 1)], 2, None, None, id="some pieces"),
        pytest.param([sent("a", 1, 1), sent("b", 2, 1)], 2, 2, None, id="all pieces"),
        pytest.param([sent("a", 1, 2), sent("b", 2, 1)], 2, 1, None, id="a further parcel"),
        pytest.param([sent("a", 1, 1), sent("a", 2, 2)], 2, 1, None, id="a parcel that held more"),
        pytest.param([sent("a", 1), arrived("a", 2)], 2, None, None, id="unknown contents"),
        pytest.param([sent("a", 1, 2), arrived("a", 2)], None, None, None, id="unknown pieces"),
        pytest.param([whole(1, "a", "b")], None, 1, None, id="the order says so"),
        pytest.param([whole(1, "a", "b"), arrived("a", 2)], None, 1, None, id="one of two arrived"),
        pytest.param([whole(1, "a", "b"), arrived("a", 2), arrived("b", 3)], 9, 1, 3, id="both arrived"),
        pytest.param([whole(1, "a"), sent("b", 2), arrived("a", 3)], None, 1, None, id="one more is sent"),
        pytest.param([whole(1, "a"), whole(3, "b")], None, 1, None, id="the first that says so"),
        pytest.param([whole(1), arrived("a", 2)], None, 1, 2, id="a parcel that was not named"),
        pytest.param([sent("", 1), arrived("", 2), whole(3)], 1, 3, None, id="unnamed parts"),
        pytest.param([sent("a", 1, 2), cancelled("a", 2)], 2, None, None, id="cancelled"),
        pytest.param([whole(1, "a"), cancelled("a", 2), arrived("a", 3)], 2, None, None, id="voided"),
        pytest.param([whole(1, "a"), cancelled("a", 2), whole(3, "b")], 2, 3, None, id="sent anew"),
        pytest.param([sent("a", 1, 2), cancelled("b", 2), arrived("a", 3)], 2, 1, 3, id="another one's end"),
        pytest.param([WHOLE_ARRIVED], None, None, 9, id="arrival alone"),
        pytest.param([whole(1, "a"), arrived("a", 2), WHOLE_ARRIVED], None, 1, 2, id="the first arrival"),
    ],
)
def test_order_is_sent_and_arrives_with_all_of_its_parcels(
    facts: list[ReportedFact], pieces: int | None, fulfilled: int | None, delivered: int | None
) -> None:
    for told in permutations(facts):
        state = fold(told, total=8000, currency="EUR", pieces=None if pieces is None else Decimal(pieces))
        assert state.fulfilled_at == (None if fulfilled is None else NOW + fulfilled * HOUR)
        assert state.delivered_at == (None if delivered is None else NOW + delivered * HOUR)


parcel = st.sampled_from(["", "a", "b", "c"])
reports = st.builds(sent, parcel, st.integers(0, 5), st.none() | st.integers(1, 2))
reports |= st.builds(arrived, parcel, st.integers(0, 5)) | st.builds(cancelled, parcel, st.integers(0, 5))
reports |= st.builds(lambda at, parcels: whole(at, *parcels), st.integers(0, 5), st.sets(parcel))
refunds = st.builds(
    ReportedFact,
    st.just(FactKind.refunded),
    hours,
    st.sampled_from(["r1", "r2"]),
    st.decimals(0, 60, places=2),
    shipping=st.none() | st.decimals(0, 10, places=2),
)


@given(
    st.lists(reports | refunds, max_size=8).flatmap(
        lambda facts: st.tuples(st.just(facts), st.permutations([*facts, *facts[:3]]))
    ),
    st.booleans(),
)
def test_parcels_and_refunds_add_up_alike_in_any_order(
    both: tuple[list[ReportedFact], list[ReportedFact]], wholly: bool
) -> None:
    def state(facts: list[ReportedFact]) -> OrderState:
        return fold(
            facts,
            total=8500,
            shipping_total=500,
            currency="EUR",
            refunded_wholly=wholly,
            pieces=Decimal(2),
        )

    assert state(both[0]) == state(both[1])
    assert not wholly or state(both[0]).refunded >= 8500


def test_parcels_of_an_order_have_one_key_in_any_order():
    assert {parcels_key(order) for order in permutations(("c", "a", "b", "a"))} == {"a+b+c"}
    assert parcels_key(()) == ""


def test_pieces_are_counted_without_discount_lines_and_not_where_one_is_unknown() -> None:
    items = [{"quantity": 2, "unit_price": 1}, {"quantity": 0.5, "unit_price": None}]
    assert count_pieces([*items, {"quantity": 1, "unit_price": -500}]) == Decimal("2.5")
    assert count_pieces([*items, {"quantity": None, "unit_price": 1}]) is None
    assert count_pieces([]) is None


# Money


@given(*(st.integers(0, 12_000) for _ in range(4)), st.booleans())
def test_what_remains_of_the_goods_is_never_negative_nor_more_than_there_was(
    total: int, shipping: int, refunded: int, refunded_shipping: int, is_cancelled: bool
) -> None:
    order = OrderMoney(total, shipping, refunded, refunded_shipping, cancelled=is_cancelled)
    assert 0 <= order.remaining <= order.goods <= total
    if is_cancelled or 0 < total <= refunded:
        assert order.is_undone
        assert order.remaining == 0
