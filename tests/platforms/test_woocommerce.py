"""WooCommerce's signatures and bodies. The bodies in `tests/samples/woocommerce` are ours, in
WooCommerce's shape."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft7Validator
from starlette.datastructures import Headers

from app.base.money import MoneyError
from app.customers.person import Person
from app.platforms.delivery_types import (
    NO_TOPIC,
    NeedsFetch,
    Ping,
    RawDelivery,
    RefusedDelivery,
    VerifiedDelivery,
)
from app.platforms.events import (
    CodeDiscount,
    CustomerErased,
    CustomerUpdated,
    DisputeStatus,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    Unparseable,
)
from app.platforms.woocommerce.adapter import WooCommerceAdapter
from app.platforms.woocommerce.schemas import DOCUMENTATION
from app.platforms.woocommerce.settings import WooCommerceSettings
from app.platforms.woocommerce.verify import decoded_secret
from tests.support.constants import NOW, PROJECT
from tests.support.samples import sample

SECRET = "a secret of this webhook"
WOOCOMMERCE = WooCommerceAdapter()
CHANGED_AT = datetime(2026, 3, 1, 9, 0, 9, tzinfo=UTC)
PLUGINS = WooCommerceSettings(
    delivered_status="delivered",
    consent_meta_key="_newsletter",
    sms_consent_meta_key="_texts",
    locale_meta_key="wpml_language",
    referral_meta_key="_campaign",
)


def order(**changes: Any) -> dict[str, Any]:
    return sample("woocommerce", "order") | changes


def with_meta(*entries: tuple[str, Any]) -> dict[str, Any]:
    return order(meta_data=[{"id": 1, "key": key, "value": value} for key, value in entries])


def parse(
    data: object,
    topic: str = "order.updated",
    settings: WooCommerceSettings | None = None,
    fetched: bytes | None = b"",
    account: str | None = None,
) -> Any:
    """Without what is fetched about refunds, as for a shop that is not connected."""
    return WOOCOMMERCE.parse(RawDelivery(topic, json.dumps(data).encode(), NOW, fetched, settings, account))


def paid(data: dict[str, Any], settings: WooCommerceSettings | None = None) -> OrderPaid:
    event = parse(data, settings=settings)[0]
    assert isinstance(event, OrderPaid)
    return event


def sign(raw: bytes, key: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(key.encode(), raw, "sha256")).decode()


def headers(signature: str, topic: str = "order.updated") -> Headers:
    return Headers(
        {
            "X-WC-Webhook-Signature": signature,
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Delivery-ID": "one of this second",
        }
    )


def verify(given: Headers, raw: bytes, secrets: list[str]) -> Any:
    return WOOCOMMERCE.verify(given, raw, secrets, now=NOW)


# Signatures


def test_signed_body_is_accepted_and_no_other():
    raw = b'{"id":7}'
    assert isinstance(verify(headers(sign(raw)), raw, ["new", SECRET]), VerifiedDelivery)
    assert verify(headers(sign(raw)), raw + b" ", [SECRET]) == RefusedDelivery()


@pytest.mark.parametrize(
    ("stored", "key"),
    [
        ("a secret&amp;more&lt;x&gt;", "a secret&more<x>"),
        ("&quot;sixteen or more&#039;", "\"sixteen or more'"),
        ("&#38;&#0038;&#x26;&#X0026;&#60;&#062;", "&&&&<>"),
        ("&#34;&#x22;&#39;&#x27;", "\"\"''"),
        ("once&amp;lt;only", "once&lt;only"),
        ("&nbsp;&#x3c;&AMP;&#65;& stay", "&nbsp;&#x3c;&AMP;&#65;& stay"),
    ],
)
def test_secret_signs_with_its_entities_decoded(stored, key):
    raw = b'{"id":7}'
    assert decoded_secret(stored) == key
    assert isinstance(verify(headers(sign(raw, key)), raw, [stored]), VerifiedDelivery)
    assert isinstance(verify(headers(sign(raw, key)), raw, [key]), VerifiedDelivery)


def test_known_signature_of_a_secret_with_signs_is_accepted():
    given = headers("HBu0O9Zu/YBHuK3LlG5oQFKnGV7RAUoW3anWuwIqpoQ=")
    for secret in ('a&b<c>"d', "a&amp;b&lt;c&gt;&quot;d"):
        assert isinstance(verify(given, b'{"id":1}', [secret]), VerifiedDelivery)


@pytest.mark.parametrize("signature", [sign(b"{}", "old"), "", "é", "A" * 10_000])
@pytest.mark.parametrize("secrets", [[SECRET], [], [""]])
def test_wrong_signature_or_secret_is_refused(signature, secrets):
    assert verify(headers(signature), b"{}", secrets) == RefusedDelivery()


def test_unsigned_form_of_a_saved_webhook_is_a_ping():
    assert verify(Headers({}), b"webhook_id=8", [SECRET]) == Ping()


@pytest.mark.parametrize(
    "raw", [b"", b"webhook_id=", b"webhook_id=8&x=1", b"webhook_id=eight", b'{"id":7}', b"webhook_id=8\n"]
)
def test_other_unsigned_bodies_are_refused(raw):
    assert verify(Headers({}), raw, [SECRET]) == RefusedDelivery()


def test_a_ping_with_a_wrong_signature_is_refused():
    assert verify(headers("AAAA"), b"webhook_id=8", [SECRET]) == RefusedDelivery()


def test_delivery_key_is_of_topic_and_body_whatever_the_delivery_id():
    bodies = [
        ("order.updated", order()),
        ("order.created", order()),
        ("order.updated", order(id=2042)),
        ("order.updated", order(date_modified_gmt="2026-03-01T09:00:10")),
        ("order.updated", order(status="completed")),
    ]
    keys = []
    for topic, body in bodies * 2:
        raw = json.dumps(body).encode()
        keys.append(verify(headers(sign(raw), topic), raw, [SECRET]).external_id)
    assert keys[:5] == keys[5:]
    assert len(set(keys)) == 5


def test_delivery_without_a_topic_is_explained():
    accepted = verify(Headers({"X-WC-Webhook-Signature": sign(b"{}")}), b"{}", [SECRET])
    assert accepted.topic == NO_TOPIC
    with pytest.raises(Unparseable, match="topic"):
        parse({}, NO_TOPIC)


# Orders


def test_samples_and_examples_fit_the_resources():
    schema = json.loads((PROJECT / "tests/specs/woocommerce_order.json").read_text(encoding="utf-8"))
    assert list(Draft7Validator(schema).iter_errors(order())) == []
    refunded = order(refunds=[{"id": 9, "reason": "", "total": "-10.00"}], status="refunded")
    assert list(Draft7Validator(schema).iter_errors(refunded)) == []
    del schema["definitions"]["order"]["required"]
    for properties in schema["definitions"]["order"]["properties"].values():
        properties.get("items", {}).pop("required", None)
    example = DOCUMENTATION.examples["order.updated"].body
    assert list(Draft7Validator(schema).iter_errors(example)) == []


def test_processing_order_is_paid_and_read_whole():
    (event,) = parse(order())
    assert isinstance(event, OrderPaid)
    assert (event.order_id, event.number, event.currency, event.source) == ("2041", "2041", "EUR", "checkout")
    assert (event.subtotal, event.total, event.discount_total, event.shipping_total) == (8000, 7690, 800, 490)
    assert event.discount_codes == ("mara-7k4qx",)
    assert [(each.code, each.amount) for each in event.discounts] == [("mara-7k4qx", 800)]
    assert (event.placed_at, event.paid_at, event.version_at) == (
        datetime(2026, 3, 1, 9, tzinfo=UTC),
        datetime(2026, 3, 1, 9, 0, 8, tzinfo=UTC),
        CHANGED_AT,
    )
    (item,) = event.items
    assert (item.title, item.quantity, item.sku, item.unit_price) == ("Mug – Blue", 2, "MUG-BLUE", 4000)
    assert event.shipping_address == ("Hafenstraße 12", "Wohnung 3", "20359", "Hamburg", "DE")
    assert event.shipping_country == "DE"
    assert (event.test, event.payment_fingerprint, event.refunded_wholly) == (False, None, False)


@pytest.mark.parametrize("topic", ["order.created", "order.updated", "order.restored"])
def test_topics_of_an_order_show_the_same(topic):
    assert parse(order(), topic) == parse(order())


@pytest.mark.parametrize(
    "status",
    [
        *("checkout-draft", "auto-draft", "draft", "pending", "trash", "wc-pending"),
        *("pre-ordered", "partial-payment", "partially-paid"),
    ],
)
def test_unfinished_order_is_no_event(status):
    refunds = [{"id": 9, "reason": "", "total": "-10.00"}]
    assert parse(order(status=status, refunds=refunds), settings=PLUGINS) == []


def test_order_in_the_trash_is_no_event():
    assert parse({"id": 2041}, "order.deleted") == []


@pytest.mark.parametrize("topic", ["product.updated", "coupon.created", "action.woocommerce_add_to_cart"])
def test_other_topics_are_no_event(topic):
    assert parse({"id": 1}, topic) == []


def test_part_of_another_order_is_no_event():
    assert parse(order(parent_id=2040, created_via="dokan")) == []
    assert parse(order(parent_id="2040", status="cancelled")) == []
    assert parse(order(created_via="wc_deposits")) == []
    for whole in (0, "0", None):
        assert parse(order(parent_id=whole)) == parse(order())


def test_error_in_place_of_an_order_is_explained_or_says_that_it_is_gone():
    def error(code: str, status: int) -> dict[str, Any]:
        return {"code": code, "message": "…", "data": {"status": status}}

    for topic in ("order.updated", "customer.updated"):
        assert parse(error("woocommerce_rest_shop_order_invalid_id", 404), topic) == []
        for status in (401, 403):
            with pytest.raises(Unparseable, match="user that the webhook belongs to was deleted"):
                parse(error("woocommerce_rest_cannot_view", status), topic)
    with pytest.raises(Unparseable, match="id is missing"):
        parse(error("woocommerce_rest_odd", 500))


def test_order_that_is_paid_on_delivery_counts_once_it_is_processed():
    event = paid(order(payment_method="cod", date_paid=None, date_paid_gmt=None))
    assert event.paid_at is None


def test_completed_order_is_fulfilled_when_it_was_completed():
    events = parse(order(status="completed", date_completed_gmt="2026-03-03T08:00:00"))
    assert [type(event) for event in events] == [OrderPaid, OrderFulfilled]
    assert events[1] == OrderFulfilled("2041", datetime(2026, 3, 3, 8, tzinfo=UTC))
    assert parse(order(status="completed"))[1] == OrderFulfilled("2041", CHANGED_AT)
    # It was sent before it was refunded.
    refunded = parse(order(status="refunded", date_completed_gmt="2026-03-03T08:00:00"))
    assert refunded[1:] == events[1:]


def test_status_that_the_shop_names_is_delivered():
    events = parse(order(status="delivered", date_completed_gmt="2026-02-28T08:00:00"), settings=PLUGINS)
    assert events[1:] == [
        OrderFulfilled("2041", datetime(2026, 2, 28, 8, tzinfo=UTC)),
        OrderDelivered("2041", CHANGED_AT),
    ]
    unpaid = order(status="wc-delivered", date_paid_gmt=None)
    assert [type(event) for event in parse(unpaid, settings=PLUGINS)] == [
        OrderPaid,
        OrderFulfilled,
        OrderDelivered,
    ]


def test_completed_may_be_what_a_shop_calls_delivered():
    settings = WooCommerceSettings(delivered_status="completed")
    events = parse(order(status="completed", date_completed_gmt="2026-02-28T08:00:00"), settings=settings)
    at = datetime(2026, 2, 28, 8, tzinfo=UTC)
    assert events[1:] == [OrderFulfilled("2041", at), OrderDelivered("2041", at)]


@pytest.mark.parametrize(("paid_at", "count"), [("2026-03-01T09:00:08", 1), (None, 0), ("", 0)])
def test_status_of_a_plugin_is_that_of_a_paid_order_once_it_was_paid(paid_at, count):
    assert len(parse(order(status="packing", date_paid_gmt=paid_at))) == count


def test_order_that_was_called_off_was_paid_only_where_it_says_so():
    events = parse(order(status="cancelled"))
    assert [type(event) for event in events] == [OrderPaid, OrderCancelled]
    cancelled = OrderCancelled("2041", CHANGED_AT, revocable=True)
    assert events[1] == cancelled
    assert parse(order(status="cancelled", date_paid_gmt=None)) == [cancelled]
    assert parse(order(status="failed")) == [replace(cancelled, tentative=True)]


def test_order_on_hold_waits_for_its_payment_or_has_one_that_is_doubted():
    refunds = [{"id": 9, "reason": "", "total": "-10.00"}]
    assert parse(order(status="on-hold", date_paid_gmt=None, refunds=refunds)) == []
    assert parse(order(status="on-hold")) == [], "a gateway holds it back until somebody has looked"
    later = order(status="on-hold", refunds=refunds, date_paid_gmt="2026-03-01T08:00:00")
    assert parse(later) == [OrderDisputed("2041", "", DisputeStatus.open, CHANGED_AT, revocable=True)]


@pytest.mark.parametrize(
    ("status", "stood_at"),
    [
        *((each, CHANGED_AT) for each in ("processing", "completed", "refunded", "delivered")),
        ("cancelled", None),
        *((each, datetime(2026, 3, 1, 9, 0, 8, tzinfo=UTC)) for each in ("packing", "cancel-request")),
    ],
)
def test_order_stands_where_its_status_says_so_or_since_its_payment(status, stood_at):
    assert paid(order(status=status), settings=PLUGINS).stood_at == stood_at


def test_refunded_order_is_refunded_wholly_whatever_its_refunds():
    event = paid(order(status="refunded"))
    assert event.refunded_wholly


@pytest.mark.parametrize(
    ("refunds", "ids"),
    [
        *(([], ()), ([{"id": 9, "total": "-1.00"}, {"id": 10, "total": "-0.00"}], ("9", "10"))),
        *((None, None), ("none", None), ([{"total": "-1.00"}], None), ([{"id": 9}, "none"], None)),
        ([{"id": each, "total": "-1.00"} for each in range(500)], None),
    ],
)
def test_refunds_are_listed_where_that_is_all_of_them(refunds, ids):
    assert paid(order(refunds=refunds)).refund_ids == ids


def test_clock_that_is_far_ahead_makes_no_order_that_nothing_later_changes():
    ahead = order(status="cancelled", date_modified_gmt="2037-03-10T12:00:00")
    event, cancelled = parse(ahead)
    assert (event.version_at, cancelled.at) == (NOW, NOW)
    event = paid(order(date_modified_gmt=f"{NOW + timedelta(days=30):%Y-%m-%dT%H:%M:%S}"))
    assert event.version_at == NOW + timedelta(days=30)


def test_refunds_are_read_by_their_ids():
    refunds = [
        {"id": 9, "reason": "broken", "total": "-10.00"},
        {"id": 10, "reason": "", "total": "-500.00"},
        {"id": 11, "reason": "only goods", "total": "-0.00"},
        {"reason": "without an id", "total": "-3.00"},
        {"id": 12, "total": "much"},
        "no refund",
    ]
    assert parse(order(refunds=refunds))[1:] == [
        OrderRefunded("2041", "9", Decimal("10.00"), CHANGED_AT),
        OrderRefunded("2041", "10", Decimal("500.00"), CHANGED_AT),
    ]


def test_refunds_are_fetched_where_a_part_of_them_may_be_for_shipping():
    part = [{"id": 9, "reason": "", "total": "-10.00"}]
    needed = NeedsFetch("orders/2041/refunds")
    assert parse(order(refunds=part), fetched=None) == needed
    assert parse(order(refunds=part, status="cancelled"), fetched=None) == needed
    for changes in (
        {"refunds": []},
        {"refunds": part, "status": "refunded"},
        {"refunds": part, "status": "on-hold"},
        {"refunds": [{"id": 9, "total": "-76.90"}]},
        {"refunds": part, "shipping_total": "0.00", "shipping_tax": "0.00"},
        {"refunds": part, "id": "../2041"},
        {"refunds": part, "status": "cancelled", "date_paid_gmt": None},
    ):
        assert isinstance(parse(order(**changes), fetched=None), list), changes


def test_what_is_fetched_about_a_refund_is_its_time_and_its_part_for_shipping():
    refunds = [{"id": 9, "total": "-10.00"}, {"id": 10, "total": "-1.00"}, {"id": 11, "total": "-2.00"}]
    fetched = {
        "refunds": [
            {
                "id": 9,
                "date_created_gmt": "2026-02-28T10:00:00",
                "shipping_lines": [{"total": "-4.12", "total_tax": "-0.78"}],
            },
            {"id": 10, "date_created_gmt": None, "shipping_lines": [{"total": "much"}, {"total": "-5.00"}]},
            {"id": 99, "shipping_lines": "none"},
            "no refund",
        ]
    }
    expected = [
        OrderRefunded("2041", "9", Decimal("10.00"), datetime(2026, 2, 28, 10, tzinfo=UTC), Decimal("4.90")),
        OrderRefunded("2041", "10", Decimal("1.00"), CHANGED_AT, Decimal("1.00")),
        OrderRefunded("2041", "11", Decimal("2.00"), CHANGED_AT),
    ]
    assert parse(order(refunds=refunds), fetched=json.dumps(fetched).encode())[1:] == expected


def linked(address: str, **changes: Any) -> dict[str, Any]:
    return order(_links={"self": [{"href": f"{address}/wp-json/wc/v3/orders/2041"}]}, **changes)


@pytest.mark.parametrize(
    ("address", "is_copy"),
    [
        *(("https://acme.example", False), ("http://www.acme.example", False)),
        *(("https://staging.acme.example", True), ("https://acme.example/staging", True)),
        *(("http://acme.local:8080", True), ("https://[broken", True)),
    ],
)
def test_what_a_copy_of_the_shop_delivers_is_asked_of_the_shop(address, is_copy):
    account = "https://acme.example"
    asked = parse(linked(address), fetched=None, account=account)
    assert (asked == NeedsFetch("orders/2041")) is is_copy
    for unknown in (None, "http://127.0.0.1:8080"):
        assert isinstance(parse(linked(address), fetched=None, account=unknown), list)
    assert isinstance(parse(linked(address, id="../2041"), fetched=None, account=account), list)
    customer = sample("woocommerce", "customer") | {"_links": linked(address)["_links"]}
    asked = parse(customer, "customer.updated", fetched=None, account=account)
    assert (asked == NeedsFetch("customers/31")) is is_copy


def test_order_without_a_known_address_is_its_own_word():
    for links in (None, [], {}, {"self": []}, {"self": [{"href": 7}]}, {"self": [{"href": "elsewhere"}]}):
        assert isinstance(parse(order(_links=links), fetched=None, account="https://acme.example"), list)


def test_what_the_shop_has_counts_instead_of_what_a_copy_delivers():
    copy = linked("https://staging.acme.example", status="cancelled", total="1.00")
    refunds = [{"id": 9, "total": "-10.00"}]
    row = {"id": 9, "date_created_gmt": "2026-02-28T10:00:00", "shipping_lines": []}
    found = json.dumps({"order": order(refunds=refunds), "refunds": [row]}).encode()
    event, refund = parse(copy, fetched=found, account="https://acme.example")
    assert (event.total, refund.at) == (7690, datetime(2026, 2, 28, 10, tzinfo=UTC))
    for other in (None, order(order_key="wc_order_another")):
        with pytest.raises(Unparseable, match=r"sent by https://staging\.acme\.example, .* has moved"):
            parse(copy, fetched=json.dumps({"order": other}).encode())
    assert parse({"id": 31, "email": "x@example.com"}, "customer.updated", fetched=b'{"customer":null}') == []


# Amounts


def line(subtotal: str, tax: str = "0.00", quantity: Any = 1) -> dict[str, Any]:
    return {"id": 1, "name": "Lamp", "quantity": quantity, "subtotal": subtotal, "subtotal_tax": tax}


@pytest.mark.parametrize(
    ("currency", "total", "lines", "expected"),
    [
        ("JPY", "3300", [line("3000", "300")], (3300, 3300)),
        ("JPY", "3300.00", [line("1000.4", "99.6"), line("2000", "200")], (3300, 3300)),
        ("KWD", "12.345", [line("12.345")], (12345, 12345)),
        ("EUR", "7.997", [line("6.7202", "1.2768")], (800, 800)),
        ("eur", 8, [line("8")], (800, 800)),
        ("EUR", "0.00", [line("0")], (0, 0)),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(currency, total, lines, expected):
    changes = {"shipping_total": "0", "shipping_tax": "0", "discount_total": "0", "discount_tax": "0"}
    event = paid(order(currency=currency, total=total, line_items=lines, **changes))
    assert (event.total, event.subtotal) == expected


@pytest.mark.parametrize("lines", [[], None, "none", [{"id": 1, "name": "x"}], [line("a lot")]])
def test_goods_follow_from_the_total_where_the_lines_do_not_show_them(lines):
    assert paid(order(line_items=lines)).subtotal == 7690 - 490 + 800
    nothing_else = order(line_items=lines, shipping_total=None, discount_total=None)
    assert paid(nothing_else).subtotal == 7690
    assert paid(order(line_items=lines, total="2.00", discount_total=None)).subtotal == 0


def test_goods_are_what_the_lines_cost_whatever_else_was_paid():
    fee = {"id": 2, "name": "Cash on delivery", "total": "5.00", "total_tax": "0.00"}
    assert paid(order(total="81.90", fee_lines=[fee])).subtotal == 8000


def test_pieces_may_be_halves_or_unknown():
    event = paid(order(line_items=[line("10.00", quantity=0.5), line("5.00", quantity=None)]))
    assert [(each.quantity, each.unit_price) for each in event.items] == [(0.5, 2000), (None, None)]
    (unnamed,) = paid(order(line_items=[line("10.00") | {"name": None}])).items
    assert unnamed.title == ""


def test_discount_of_each_code_has_the_tax_that_it_saved():
    coupons = [
        {"id": 1, "code": "net-of-tax", "discount": "10.00", "discount_tax": "1.90"},
        {"id": 2, "code": "untaxed", "discount": "3.00"},
        {"id": 3, "code": "", "discount": "1.00", "discount_tax": "0"},
        {"id": 4, "code": "  ", "discount": "1.00", "discount_tax": "0"},
        {"id": 5, "code": None, "discount": "1.00"},
        {"id": 6, "code": "shipping", "discount": "0", "discount_tax": "0"},
        {"id": 7, "code": "unreadable", "discount": "some"},
        {"id": 8, "code": "below", "discount": "-1.00"},
    ]
    event = paid(order(coupon_lines=coupons))
    assert event.discount_codes == ("net-of-tax", "untaxed", "shipping", "unreadable", "below")
    assert [(each.code, each.amount) for each in event.discounts] == [
        ("net-of-tax", 1190),
        ("untaxed", 300),
        ("shipping", 0),
    ]


def test_discount_is_what_is_gone_of_a_coupon_off_prices_without_tax():
    coupons = [{"id": 1, "code": "credit", "discount": "5.00", "discount_tax": "0.40"}]
    for stated, spent in ((False, 500), (True, None), (None, None), ("no", None)):
        event = paid(order(coupon_lines=coupons, prices_include_tax=stated))
        assert event.discounts == (CodeDiscount("credit", 540, spent),), "the buyer paid 5.40 less"


def test_amounts_beyond_any_order_are_left_out():
    event = paid(order(shipping_total="9" * 19, discount_total="1e18", line_items=[line("9" * 19)]))
    assert (event.shipping_total, event.discount_total) == (None, None)
    assert event.items[0].unit_price is None


# People


def test_buyer_is_who_pays():
    person = paid(order()).person
    assert (person.external_id, person.email) == ("31", "mara@example.com")
    assert (person.first_name, person.last_name) == ("Mara", "Lind")
    assert (person.phone, person.phone_country, person.country) == ("040 1234567", "DE", "DE")
    assert (person.locale, person.email_consent.given, person.sms_consent.given) == (None, None, None)


def test_guest_has_no_id():
    for customer_id in (0, "0", None, ""):
        assert paid(order(customer_id=customer_id)).person.external_id is None


def test_nobody_is_read_of_an_order_whose_personal_data_was_removed():
    removed = {
        "billing": {"first_name": "[deleted]", "email": "deleted@site.invalid", "phone": "0-000-000-0000"},
        "shipping": {"address_1": "[deleted]", "address_2": "[deleted]", "city": "[deleted] 1"},
    }
    event = paid(with_meta(("_anonymized", "yes")) | removed)
    assert (event.person, event.shipping_address, event.total) == (Person(), (), 7690)
    assert paid(with_meta(("_anonymized", "no"))).person.email == "mara@example.com"


@pytest.mark.parametrize(
    ("key", "value", "is_test"),
    [
        *(("_wcpay_mode", "test", True), ("_wcpay_mode", "prod", False)),
        *(("_ppcp_paypal_payment_mode", "sandbox", True), ("_ppcp_paypal_payment_mode", "live", False)),
        *(("_mollie_payment_mode", "test", True), ("_mollie_payment_mode", "live", False)),
        *(("_wc_stripe_mode", "test", True), ("_wc_stripe_mode", ["test"], False)),
        *(("_wc_klarna_environment", "us-test", True), ("_wc_klarna_environment", "live", False)),
        *(("_wc_braintree_credit_card_environment", "sandbox", True), ("_own_environment", "test", False)),
    ],
)
def test_payment_in_a_gateways_test_mode_makes_a_test_order(key, value, is_test):
    assert paid(with_meta((key, value))).test is is_test


def test_ids_beyond_what_a_double_holds_keep_their_digits():
    event = paid(order(id=9007199254740993, customer_id=9007199254740995))
    assert (event.order_id, event.person.external_id) == ("9007199254740993", "9007199254740995")


def test_of_two_numbers_the_buyers_counts_in_their_own_country():
    body = order()
    body["shipping"] |= {"phone": "01 23 45 67 89", "country": "FR"}
    person = paid(body).person
    assert (person.phone, person.phone_country, person.shipping_country) == ("040 1234567", "DE", "FR")
    body["billing"]["phone"] = ""
    person = paid(body).person
    assert (person.phone, person.phone_country, person.country) == ("01 23 45 67 89", "FR", "DE")
    body["shipping"]["country"] = ""
    assert paid(body).person.phone_country == "DE"


def test_a_gift_tells_nothing_of_the_buyer_but_where_it_went():
    body = order()
    body["billing"] |= {"phone": "", "first_name": "Mara"}
    body["shipping"] |= {"first_name": "Gran", "last_name": "Lee", "country": "FR", "phone": "+33612345678"}
    person = paid(body).person
    assert (person.phone, person.first_name, person.shipping_country) == (None, "Mara", "FR")


def test_order_without_personal_data_is_an_order():
    event = paid(order(billing={}, shipping=[], customer_ip_address="", meta_data={}))
    assert (event.person.email, event.person.phone, event.shipping_address) == (None, None, ())
    assert event.discount_codes == ("mara-7k4qx",)


@pytest.mark.parametrize(
    ("value", "given"),
    [
        *((value, True) for value in ("1", 1, True, "y", "yes", " Yes ", "true", "on", "subscribed")),
        *((value, False) for value in ("0", 0, False, "n", "no", "off", "unsubscribed")),
        *((value, None) for value in ("", None, "perhaps", 2, 1.5, [], {"a": 1}, "x" * 5000)),
    ],
)
def test_consent_is_read_from_the_field_that_the_shop_names(value, given):
    person = paid(with_meta(("_newsletter", value)), PLUGINS).person
    assert (person.email_consent.given, person.sms_consent.given) == (given, None)
    assert person.email_consent.source == ("woocommerce" if isinstance(value, str | int) else None)
    person = paid(with_meta(("_texts", value), ("_newsletter", None)), PLUGINS).person
    assert (person.email_consent.given, person.sms_consent.given) == (None, given)
    assert paid(with_meta(("_newsletter", value), ("_texts", value))).person.email_consent.given is None


def test_language_is_read_from_the_field_that_the_shop_names():
    assert paid(order(), PLUGINS).person.locale == "de"
    assert paid(with_meta(("wpml_language", 5)), PLUGINS).person.locale is None
    twice = with_meta(("wpml_language", "fr"), ("wpml_language", "es"))
    assert paid(twice, PLUGINS).person.locale == "fr"


SLUG = "3772vq8fx"
"""As `new_slug` makes them; the same in every worker, as it stands in the names of tests."""
ENTRY = "_wc_order_attribution_session_entry"


@pytest.mark.parametrize(
    ("entries", "settings", "slug"),
    [
        ([(ENTRY, f"https://acme.example/shop?utm_source=x&ref={SLUG}")], None, SLUG),
        ([(ENTRY, f"/?ref=summer&ref={SLUG.upper()}")], None, SLUG),
        ([("tenfold_ref", SLUG)], None, SLUG),
        ([("ref", "summer"), ("_tenfold_ref", f" {SLUG} ")], None, SLUG),
        ([("_campaign", SLUG)], PLUGINS, SLUG),
        ([("_campaign", f"https://acme.example/?ref={SLUG}")], PLUGINS, SLUG),
        ([("_campaign", SLUG)], None, None),
        ([(ENTRY, "https://[broken/?ref=x"), ("ref", {"a": 1})], None, None),
        ([(ENTRY, "https://acme.example/?ref=summer")], None, None),
        # A renewal of a subscription has all that was noted of the first order.
        ([("tenfold_ref", SLUG), ("_subscription_renewal", "812")], None, None),
    ],
)
def test_slug_is_read_from_the_order(entries, settings, slug):
    assert paid(with_meta(*entries), settings).referral == slug


def test_link_to_the_shop_carries_slug_and_code():
    link = WOOCOMMERCE.shop_link("https://acme.example/shop/", "ANA-7K4QX", SLUG)
    assert link == f"https://acme.example/shop/?ref={SLUG}&discount=ANA-7K4QX"
    assert paid(with_meta((ENTRY, link))).referral == SLUG


# Customers


@pytest.mark.parametrize("topic", ["customer.created", "customer.updated"])
def test_customer_is_known_by_the_address_of_their_orders(topic):
    (event,) = parse(sample("woocommerce", "customer"), topic, PLUGINS)
    assert isinstance(event, CustomerUpdated)
    assert event.at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert (event.person.external_id, event.person.email) == ("31", "mara@example.com")
    assert (event.person.phone, event.person.phone_country) == ("040 1234567", "DE")
    assert event.person.email_consent.given is False


def test_customer_without_an_order_has_the_address_of_the_account():
    customer = sample("woocommerce", "customer") | {"billing": {"email": ""}, "date_modified_gmt": None}
    (event,) = parse(customer, "customer.updated")
    assert (event.person.email, event.person.first_name, event.at) == (
        "mara.account@example.com",
        "Mara",
        NOW,
    )


def test_deleted_account_is_erased_by_its_id():
    erased = [CustomerErased("31", None)]
    for fetched in (None, b""):
        assert parse({"id": 31}, "customer.deleted", fetched=fetched) == erased, "the shop is not connected"


def test_account_that_only_a_copy_of_the_shop_deleted_erases_nobody():
    def deleted(fetched: bytes | None) -> Any:
        return parse({"id": 31}, "customer.deleted", fetched=fetched, account="https://acme.example")

    assert deleted(None) == NeedsFetch("customers/31")
    assert deleted(b'{"customer":null}') == deleted(b"") == [CustomerErased("31", None)]
    with pytest.raises(Unparseable, match="still has this customer"):
        deleted(b'{"customer":{"id":31}}')


# What cannot be


def test_body_that_is_replayed_under_another_topic_is_not_another_person():
    with pytest.raises(Unparseable, match="email"):
        parse(order(), "customer.updated")
    with pytest.raises(Unparseable, match="id must be all"):
        parse(sample("woocommerce", "customer"), "customer.deleted")
    with pytest.raises(Unparseable, match="status"):
        parse(sample("woocommerce", "customer"), "order.updated")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html><html><body>Briefly unavailable</body></html>", "no JSON"),
        (b"", "no JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "JSON object"),
        (b"{}", "id is missing"),
        (b'{"id":1}', "status is missing"),
        (b'{"id":1,"status":"processing"}', "currency"),
        (b'{"id":1,"status":"processing","currency":"EUR"}', "total is missing"),
        (b'{"id":1,"status":"processing","currency":"XXX","total":"1"}', "currency"),
        (b'{"id":1,"status":"processing","currency":"EUR","total":"-1"}', "negative"),
        (b'{"id":1,"status":"processing","currency":"EUR","total":"1e400"}', "cannot be booked"),
        (b'{"id":{},"status":"processing"}', "text or a whole number"),
        (b'{"id":1,"status":["processing"]}', "must be text"),
    ],
)
@pytest.mark.parametrize("topic", ["order.created", "order.updated", "order.restored"])
def test_body_that_is_no_order_is_explained(body, reason, topic):
    with pytest.raises(Unparseable, match=reason):
        WOOCOMMERCE.parse(RawDelivery(topic, body, NOW))


@pytest.mark.parametrize("resource", ["order", "customer"])
def test_format_of_the_legacy_api_is_explained(resource):
    with pytest.raises(Unparseable, match="API version"):
        parse({resource: {"id": 1, "status": "processing"}}, f"{resource}.updated")


@pytest.mark.parametrize("at", ["0000-00-00T00:00:00", "9999-12-31T23:59:59", "yesterday", 5, None])
def test_time_that_cannot_be_is_left_out(at):
    names = ("date_created_gmt", "date_modified_gmt", "date_paid_gmt", "date_completed_gmt")
    (event,) = parse(order(**dict.fromkeys(names, at)))
    assert (event.placed_at, event.placed_at_stated, event.version_at) == (NOW, False, NOW)


def test_time_in_the_future_is_read_as_it_is():
    ahead = (NOW + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%S")
    assert paid(order(date_created_gmt=ahead)).placed_at == NOW + timedelta(days=400)


def test_time_with_a_zone_keeps_it():
    event = paid(order(date_created_gmt="2026-03-01T10:00:00+01:00"))
    assert event.placed_at == datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(order().keys() - {"id", "status", "currency", "total"}))
@pytest.mark.parametrize("value", [None, [], {}, "", "x", -1, [None], [[]], {"a": {}}, True])
def test_nothing_else_makes_an_order_fail(name, value):
    try:
        events = parse(order(**{name: value}), settings=PLUGINS)
    except MoneyError:
        pytest.fail("an amount that is only informational raised")
    assert isinstance(events[0], OrderPaid)
