"""What Shopify's bodies say about money: refunds in two currencies, edited orders, odd details."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.platforms.delivery_types import RawDelivery
from app.platforms.events import CodeDiscount, OrderPaid, OrderRefunded, PlatformEvent, Unparseable
from app.platforms.shopify.adapter import ShopifyAdapter
from tests.support.constants import NOW


def parse(topic: str, body: dict[str, Any]) -> list[PlatformEvent]:
    return ShopifyAdapter().parse(RawDelivery(topic, json.dumps(body).encode(), NOW))


def money(shop: str, buyer: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"shop_money": {"amount": shop, "currency_code": "EUR"}}
    if buyer is not None:
        found["presentment_money"] = {"amount": buyer, "currency_code": "CHF"}
    return found


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "name": "#1",
        "currency": "EUR",
        "financial_status": "paid",
        "processed_at": "2026-03-10T12:00:00Z",
        "updated_at": "2026-03-11T12:00:00Z",
        "total_line_items_price": "500.00",
        "subtotal_price": "500.00",
        "total_price": "500.00",
        "total_discounts": "0.00",
        "discount_codes": [],
        "line_items": [
            {"id": 11, "title": "Desk", "quantity": 1, "price": "300.00"},
            {"id": 12, "title": "Chair", "quantity": 2, "price": "100.00"},
        ],
        "refunds": [],
        "fulfillments": [],
        **changes,
    }


def refund(amount: str | None, currency: str = "EUR", **parts: Any) -> dict[str, Any]:
    paid = (
        []
        if amount is None
        else [{"kind": "refund", "status": "success", "amount": amount, "currency": currency}]
    )
    return {"id": 9, "order_id": 1, "transactions": paid, "refund_line_items": [], **parts}


def paid(**changes: Any) -> OrderPaid:
    event = parse("orders/updated", order(**changes))[0]
    assert isinstance(event, OrderPaid)
    return event


# Refunds


@pytest.mark.parametrize(
    ("given", "amount", "shipping"),
    [
        pytest.param(refund("40.00"), "40.00", "0", id="the shop's currency"),
        pytest.param(
            refund("6500", "JPY", refund_line_items=[{"subtotal_set": money("40.00"), "total_tax_set": money("0.00")}]),
            "40.00", "0", id="lines",
        ),
        pytest.param(
            refund("6500", "JPY", refund_line_items=[{"subtotal_set": money("40.00"), "total_tax_set": money("7.60")}]),
            "47.60", "0", id="lines and taxes",
        ),
        pytest.param(
            refund("47.00", "CHF", refund_line_items=[{"subtotal_set": money("50.00", "47.00"), "total_tax_set": money("8.00", "7.52")}]),
            "50.0000", "0", id="prices that include their taxes",
        ),
        pytest.param(
            refund("82.00", "CHF", refund_line_items=[{"subtotal_set": money("80.00")}],
                   order_adjustments=[{"kind": "shipping_refund", "amount_set": money("-5.00")}]),
            "85.00", "5.00", id="shipping",
        ),
        pytest.param(
            refund("82.00", "CHF", refund_line_items=[{"subtotal_set": money("80.00")}],
                   refund_shipping_lines=[{"subtotal_amount_set": money("5.00")}]),
            "85.00", "5.00", id="shipping lines",
        ),
        pytest.param(
            refund("30.00", "CHF", refund_line_items=[{"subtotal_set": money("40.00")}],
                   order_adjustments=[{"kind": "refund_discrepancy", "amount_set": money("8.50")}]),
            "31.50", "0", id="less than the goods",
        ),
        pytest.param(
            refund("9.00", "CHF", order_adjustments=[{"amount_set": money("-5.20")}], total_duties_set=money("4.00")),
            "9.20", "0", id="an adjustment and duties",
        ),
        pytest.param(
            refund("5.00", order_adjustments=[{"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.95"}]),
            "5.00", "5.00", id="never more shipping than money",
        ),
        pytest.param(
            refund("47.00", "CHF", refund_line_items=[{"subtotal_set": money("40.00", "37.60")}, {"subtotal_set": money("10.00")}]),
            "50.00", "0", id="a line without the buyer's price",
        ),
        pytest.param(
            refund("37.60", "CHF", refund_line_items=[{"subtotal_set": money("40.00", "0.00")}]),
            "40.00", "0", id="lines that cost the buyer nothing",
        ),
        pytest.param(
            refund("0.94", "CHF", refund_line_items=[{"subtotal_set": money("0.80", "0.752")}]),
            "1.0000", "0", id="less than one of either currency",
        ),
        pytest.param(
            refund("82.00", "CHF", refund_line_items=[{"subtotal_set": money("80.00")}],
                   order_adjustments=[{"kind": "shipping_refund", "amount_set": money("-5.00")}],
                   refund_shipping_lines=[{"subtotal_amount_set": money("5.00")}]),
            "85.00", "5.00", id="shipping that is shown twice",
        ),
        pytest.param(
            refund("79.90", "CHF", refund_line_items=[{"subtotal_set": money("80.00", "75.20")}],
                   order_adjustments=[{"kind": "shipping_refund", "amount_set": money("-5.00", "-4.70"), "tax_amount_set": money("-0.95")}]),
            "85.0000", "5.95", id="shipping and its tax",
        ),
    ],
)  # fmt: skip
def test_refund_is_what_went_back_in_the_shops_currency(
    given: dict[str, Any], amount: str, shipping: str
) -> None:
    [event] = parse("refunds/create", given)
    assert isinstance(event, OrderRefunded)
    assert (event.amount, event.shipping) == (Decimal(amount), Decimal(shipping))


def test_refund_was_made_when_it_was_processed_else_created_else_heard_of() -> None:
    times = {"processed_at": "2026-03-11T08:00:00Z", "created_at": "2026-03-10T08:00:00Z"}
    days = [times, {"created_at": times["created_at"]}, {}]
    found = [parse("refunds/create", refund("40.00", **given))[0] for given in days]
    assert [event.at for event in found if isinstance(event, OrderRefunded)] == [
        datetime(2026, 3, 11, 8, tzinfo=UTC),
        datetime(2026, 3, 10, 8, tzinfo=UTC),
        NOW,
    ]


def test_refund_without_an_id_never_loses_its_order() -> None:
    nameless = {name: value for name, value in refund("40.00").items() if name != "id"}
    assert [type(event) for event in parse("orders/updated", order(refunds=[nameless]))] == [OrderPaid]
    with pytest.raises(Unparseable, match="id"):
        parse("refunds/create", nameless)


def test_refund_in_the_buyers_currency_that_shows_nothing_else_has_a_reason() -> None:
    unknown = refund("5.00", "CHF", total_duties_set=money("0.00"))
    with pytest.raises(Unparseable, match="another currency"):
        parse("refunds/create", unknown)


def test_such_a_refund_is_converted_by_its_orders_rate_and_never_loses_the_order() -> None:
    unknown = refund("47.00", "CHF")
    events = parse("orders/updated", order(refunds=[unknown], total_price_set=money("500.00", "470.00")))
    assert isinstance(events[1], OrderRefunded)
    assert events[1].amount == Decimal(50)
    lines = [{"subtotal_set": money("40.00"), "total_tax_set": money("7.60")}]
    for included, amount in ((True, "40.00"), (False, "47.60")):
        priced = refund("45.00", "CHF", refund_line_items=lines)
        events = parse("orders/updated", order(refunds=[priced], taxes_included=included))
        assert isinstance(events[1], OrderRefunded)
        assert events[1].amount == Decimal(amount)
    assert [type(event) for event in parse("orders/updated", order(refunds=[unknown]))] == [OrderPaid]
    both = unknown | {"transactions": [*unknown["transactions"], *refund("10.00")["transactions"]]}
    assert [type(event) for event in parse("orders/updated", order(refunds=[both]))] == [OrderPaid]


@pytest.mark.parametrize("state", ["refunded", "partially_refunded", "paid"])
def test_shop_that_calls_an_order_refunded_is_believed(state: str) -> None:
    assert paid(financial_status=state).refunded_wholly is (state == "refunded")


# Edited orders

REMOVED = refund(None, refund_line_items=[{"line_item_id": 12, "quantity": 2, "subtotal": "200.00"}])


@pytest.mark.parametrize(
    ("changes", "total", "subtotal"),
    [
        pytest.param({}, 50000, 50000, id="as placed"),
        pytest.param({"current_total_price": "300.00", "refunds": [REMOVED]}, 30000, 30000, id="removed"),
        pytest.param({"current_total_price": "640.00"}, 64000, 64000, id="added"),
        pytest.param({"current_total_price": "300.00", "refunds": [refund("200.00")]}, 50000, 50000, id="refunded"),
        pytest.param({"current_total_price": "500.00", "refunds": [refund("200.00")]}, 50000, 50000, id="not lowered"),
        pytest.param(
            {
                "current_total_price": "500.00", "refunds": [refund("500.00")],
                "line_items": [{"id": 11, "quantity": 2, "price": "500.00"}],
            },
            100000, 100000, id="added, then returned",
        ),
        pytest.param(
            {"current_total_price": "0.00", "refunds": [REMOVED, refund("300.00") | {"id": 10}]},
            30000, 30000, id="removed, then refunded",
        ),
        pytest.param({"current_total_price": "0.00", "financial_status": "refunded"}, 50000, 50000, id="nothing shown"),
        pytest.param(
            {"current_total_price": "0.00", "cancelled_at": "2026-03-11T12:00:00Z"}, 50000, 50000, id="cancelled"
        ),
        pytest.param(
            {"current_total_price": "446.80", "total_price_set": money("500.00", "470.00"), "refunds": [refund("50.00", "CHF")]},
            50000, 50000, id="refunded in another currency",
        ),
        pytest.param(
            {"current_total_price": "200.00", "cancelled_at": "2026-03-11T12:00:00Z"}, 50000, 50000, id="cancelled, not lowered"
        ),
        pytest.param({"current_total_price": "510.00"}, 51000, 50000, id="more than its lines were added"),
        pytest.param({"current_total_price": "299.99", "refunds": [refund("200.00")]}, 49999, 50000, id="a cent less"),
        pytest.param({"current_total_price": "499.99", "refunds": [refund(None)]}, 49999, 50000, id="a cent was removed"),
        pytest.param(
            {"current_total_price": "453.00", "refunds": [refund("47.00", "CHF")]}, 45300, 50000, id="refunded, nobody knows how much",
        ),
        pytest.param(
            {"line_items": [], "current_total_price": "300.00", "refunds": [REMOVED]}, 30000, 30000, id="no lines shown"
        ),
        pytest.param(
            {"line_items": [], "total_line_items_price": "100.00", "current_total_price": "300.00"}, 30000, 0, id="more was removed"
        ),
        *(
            pytest.param(
                {"line_items": [{"id": 11, **line}, {"id": 12, "quantity": 2, "price": "100.00"}], "current_total_price": "300.00", "refunds": [REMOVED]},
                30000, 30000, id=f"a line without {name}",
            )
            for name, line in (("a price", {"quantity": 1}), ("a number", {"quantity": "x", "price": "300.00"}))
        ),
        pytest.param({"total_line_items_price": "480.00"}, 50000, 48000, id="goods are what the order says"),
        pytest.param({"total_line_items_price": None, "subtotal_price": "450.00"}, 50000, 45000, id="else its subtotal"),
    ],
)  # fmt: skip
def test_edited_order_is_worth_what_it_has_now_and_what_went_back(
    changes: dict[str, Any], total: int, subtotal: int
) -> None:
    if changes.get("current_total_price") == "640.00":
        changes = changes | {"line_items": [{"id": 11, "title": "Desk", "quantity": 2, "price": "320.00"}]}
    event = paid(**changes)
    assert (event.total, event.subtotal) == (total, subtotal)


def test_refund_on_its_way_does_not_make_an_order_smaller() -> None:
    waiting = refund("200.00")
    waiting["transactions"][0]["status"] = "pending"
    event = paid(current_total_price="300.00", refunds=[waiting])
    assert event.total == 50000


def test_removed_lines_are_no_items_of_the_order_and_returned_ones_are() -> None:
    half = refund(None, refund_line_items=[{"line_item_id": 12, "quantity": 1, "subtotal": "100.00"}])
    kept = paid(current_total_price="400.00", refunds=[half]).items
    assert [(item.title, item.quantity) for item in kept] == [("Desk", 1), ("Chair", 1)]
    assert [item.title for item in paid(current_total_price="300.00", refunds=[REMOVED]).items] == ["Desk"]
    unread = refund(None, refund_line_items=[{"quantity": 2}, {"line_item_id": 12}])
    assert [item.quantity for item in paid(refunds=[unread]).items] == [1, 2]
    returned = refund("200.00", refund_line_items=REMOVED["refund_line_items"])
    assert len(paid(current_total_price="300.00", refunds=[returned]).items) == 2


@pytest.mark.parametrize(
    ("changes", "shipping"),
    [
        ({}, None),
        ({"total_shipping_price_set": money("5.00")}, 500),
        ({"shipping_lines": [{"price": "5.00"}, {"price": "?"}], "total_shipping_price_set": money("7.00")}, 700),
        ({"shipping_lines": [{"price": "5.00", "discounted_price": "0.00"}]}, 0),
        ({"shipping_lines": [{"price": "5.00"}, {"price": "2.50"}, {"price": "9.00", "is_removed": True}]}, 750),
        ({"shipping_lines": [{"price": "5.00", "tax_lines": [{"price": "0.95"}]}]}, 595),
        ({"shipping_lines": [{"price": "5.00", "tax_lines": [{"price": "0.80"}]}], "taxes_included": True}, 500),
    ],
)  # fmt: skip
def test_shipping_is_what_was_paid_for_it(changes: dict[str, Any], shipping: int | None) -> None:
    assert paid(**changes).shipping_total == shipping


def test_shopify_says_what_each_code_took_off() -> None:
    codes = [{"code": "ANA-7K4QX", "amount": "6.40", "type": "percentage"}, {"code": "BEN", "amount": "?"}]
    event = paid(discount_codes=codes)
    assert event.discount_codes == ("ANA-7K4QX", "BEN")
    assert event.discounts == (CodeDiscount("ANA-7K4QX", 640),)


# What is only informational


@pytest.mark.parametrize(
    "changes",
    [
        {"note_attributes": {"gift": "yes"}}, {"note_attributes": "gift"}, {"note_attributes": [5]},
        {"customer": {"id": 7, "email": "uma@example.com", "default_address": []}}, {"customer": []}, {"customer": "Uma"},
        {"billing_address": []}, {"shipping_address": "Hauptstr. 1"}, {"line_items": {"id": 1}}, {"line_items": [None]},
        {"line_items": [{"title": "Discount", "quantity": 1, "price": "-5.00"}]}, {"line_items": [{"quantity": {}, "price": "x"}]},
        {"discount_codes": "ANA"}, {"landing_site": {}}, {"source_name": []}, {"name": {}}, {"refunds": {}}, {"refunds": [7]},
        {"refunds": [{"id": {}, "transactions": [{"kind": "refund", "status": "success", "amount": "x"}]}]},
        {"fulfillments": [{"id": [], "status": "success", "created_at": "soon", "line_items": {}}]}, {"fulfillments": 1},
        {"cancelled_at": "never"}, {"processed_at": 5, "created_at": None}, {"updated_at": "today"},
        {"total_discounts": "-5.00"}, {"total_line_items_price": "?"}, {"current_total_price": "?"}, {"shipping_lines": [5]},
        {"email": {}}, {"phone": []}, {"customer_locale": {}},
    ],
)  # fmt: skip
def test_what_is_only_informational_never_loses_an_order(changes: dict[str, Any]) -> None:
    event = paid(**changes)
    assert (event.order_id, event.currency, event.total) == ("1", "EUR", 50000)


def test_tags_are_a_text_or_a_list() -> None:
    assert paid(tags="vip, gift").tags == paid(tags=["vip", "gift"]).tags == ("vip", "gift")


def test_what_an_order_leaves_out_is_taken_from_the_next_best() -> None:
    lines = [{"id": 1, "name": "Desk, oak", "quantity": 1, "price": "1.00"}, {"id": 2, "quantity": 1}]
    event = paid(name=None, updated_at=None, tags="vip,, gift ,", line_items=lines)
    assert (event.number, event.version_at, event.tags) == ("1", NOW, ("vip", "gift"))
    assert [item.title for item in event.items] == ["Desk, oak", ""]
    assert (event.test, event.ordered_before, event.shipping_country) == (False, False, None)
    event = paid(
        test=True, customer={"id": 7, "orders_withheld": True}, shipping_address={"country_code": "CH"}
    )
    assert (event.test, event.ordered_before, event.shipping_country) == (True, True, "CH")
    assert (paid(test="true").test, paid(customer={"orders_withheld": 1}).ordered_before) == (False, False)


def test_time_that_cannot_be_read_falls_back_to_the_next_best() -> None:
    created = paid(processed_at="soon", created_at="2026-03-09T12:00:00Z")
    assert (created.placed_at, created.placed_at_stated) == (datetime(2026, 3, 9, 12, tzinfo=UTC), True)
    both = paid(created_at="2026-03-09T12:00:00Z")
    assert both.placed_at == datetime(2026, 3, 10, 12, tzinfo=UTC)
    neither = paid(processed_at="soon", created_at={})
    assert (neither.placed_at, neither.placed_at_stated) == (NOW, False)
