"""Shopify's signatures and bodies. The bodies in `tests/samples/shopify` are ours, in Shopify's
documented shape."""

import base64
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from starlette.datastructures import Headers

from app.platforms.delivery_types import NO_TOPIC, RawDelivery, RefusedDelivery, VerifiedDelivery
from app.platforms.events import (
    CustomerErased,
    CustomerUpdated,
    DataRequested,
    DisputeStatus,
    OrderCancelled,
    OrderDisputed,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    ParcelCancelled,
    ParcelDelivered,
    ParcelSent,
    ShopErased,
    Unparseable,
)
from app.platforms.shopify.adapter import ShopifyAdapter
from tests.support.constants import NOW
from tests.support.samples import sample

SECRET = "test_secret_key"
SHOPIFY = ShopifyAdapter()
PUBLISHED_SIGNATURE = "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g="
"""Of `{"foo": "bar"}` under `test_secret_key`, from the tests of Shopify's own JavaScript
library."""


def body(name: str) -> dict:
    return sample("shopify", name)


def parse(topic: str, data: object) -> list:
    return SHOPIFY.parse(RawDelivery(topic, json.dumps(data).encode(), NOW))


def sign(raw: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode()


def headers(signature: str, *, prefix: str = "X-") -> Headers:
    return Headers(
        {
            f"{prefix}Shopify-Hmac-Sha256": signature,
            f"{prefix}Shopify-Topic": "orders/paid",
            f"{prefix}Shopify-Webhook-Id": "w1",
        }
    )


def verify(given: Headers, raw: bytes, secrets: list[str]) -> VerifiedDelivery | RefusedDelivery:
    return SHOPIFY.verify(given, raw, secrets, now=NOW)


# Signatures


def test_published_signature_is_accepted_for_its_body_alone():
    raw = b'{"foo": "bar"}'
    accepted = verify(headers(PUBLISHED_SIGNATURE), raw, [SECRET])
    assert accepted == VerifiedDelivery("orders/paid", "w1")
    assert verify(headers(PUBLISHED_SIGNATURE), raw + b" ", [SECRET]) == RefusedDelivery()


def test_signature_is_over_the_raw_bytes():
    raw = '{"note":"café ✓"}'.encode()
    assert isinstance(verify(headers(sign(raw)), raw, [SECRET]), VerifiedDelivery)


@pytest.mark.parametrize("prefix", ["", "X-", "x-"])
def test_both_header_sets_and_both_secrets_are_accepted(prefix):
    given = headers(sign(b"{}"), prefix=prefix)
    assert verify(given, b"{}", ["new", SECRET]) == VerifiedDelivery("orders/paid", "w1")


@pytest.mark.parametrize(
    "given",
    [
        headers(sign(b"{}", "old")),
        Headers({}),
        Headers({"X-Shopify-Hmac-Sha256": "é"}),
        Headers({"X-Shopify-Hmac-Sha256": ""}),
    ],
)
@pytest.mark.parametrize("secrets", [[SECRET], [], [""]])
def test_wrong_signature_or_secret_is_refused(given, secrets):
    assert verify(given, b"{}", secrets) == RefusedDelivery()


def test_delivery_without_an_id_is_recognised_by_its_body():
    ids = []
    for raw in (b"{}", b"{}", b"[]"):
        accepted = verify(Headers({"X-Shopify-Hmac-Sha256": sign(raw)}), raw, [SECRET])
        assert isinstance(accepted, VerifiedDelivery)
        assert accepted.topic == NO_TOPIC
        ids.append(accepted.external_id)
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(Unparseable, match="topic"):
        parse(NO_TOPIC, {})


# Orders


def test_paid_order_is_read_whole():
    (event,) = parse("orders/create", body("order_paid"))
    assert isinstance(event, OrderPaid)
    assert (event.order_id, event.number, event.currency) == ("5500010001", "#2041", "USD")
    assert (event.subtotal, event.total, event.discount_total) == (6000, 5895, 1000)
    assert event.discount_codes == ("MARA-7K4QX",)
    assert (event.placed_at, event.paid_at) == (
        datetime(2026, 2, 20, 16, tzinfo=UTC),
        datetime(2026, 2, 20, 16, 0, 2, tzinfo=UTC),
    )
    assert event.tags == ("gift", "first order")
    assert (event.items[0].sku, event.items[0].quantity, event.items[0].unit_price) == ("MUG-BLUE", 2, 3000)
    assert event.shipping_address == ("Harbour Road 12", "Flat 3", "97205", "Portland", "US")


def test_buyer_has_their_own_number_and_no_consent_without_a_statement():
    person = parse("orders/create", body("order_paid"))[0].person
    assert (person.external_id, person.email, person.country) == ("6001001", "mara@example.com", "US")
    assert person.phone == "+15035550187"
    assert (person.email_consent.given, person.sms_consent.given) == (None, None)


def test_parcels_name_and_number_are_used_where_the_customer_has_none():
    order = body("order_paid")
    order["customer"] |= {"phone": None, "first_name": None}
    person = parse("orders/paid", order)[0].person
    assert (person.phone, person.phone_country) == ("+1 (503) 555-0142", "US")
    assert person.first_name == "Mara"


def test_a_gift_tells_nothing_of_the_buyer_but_where_it_went():
    gift = {"first_name": "Gran", "last_name": "Lee", "country_code": "FR", "phone": "+33612345678"}
    order = body("order_paid") | {"customer": None, "shipping_address": gift}
    order["billing_address"] |= {"phone": None, "country_code": "IE"}
    person = parse("orders/paid", order)[0].person
    assert (person.first_name, person.phone) == ("Mara", None)
    assert (person.country, person.shipping_country) == ("IE", "FR")
    order["billing_address"] = None
    person = parse("orders/paid", order)[0].person
    assert (person.first_name, person.phone) == ("Gran", "+33612345678"), "nobody else is named"


def test_checkbox_at_the_checkout_is_consent_to_email():
    person = parse("orders/paid", body("order_paid") | {"buyer_accepts_marketing": True})[0].person
    assert (person.email_consent.given, person.email_consent.source) == (True, "checkout")


def test_what_is_shipped_comes_before_tips_and_insurances():
    order = body("order_paid")
    others = [{"title": title, "quantity": 1, "requires_shipping": False} for title in ("Insurance", "Tip")]
    lines = [others[0], *order["line_items"], others[1]]
    titles = [each.title for each in parse("orders/paid", order | {"line_items": lines})[0].items]
    assert titles == [*(each["title"] for each in order["line_items"]), "Insurance", "Tip"]
    assert [each.title for each in parse("orders/paid", order | {"line_items": others})[0].items] == [
        "Insurance",
        "Tip",
    ]


def test_blank_code_of_a_manual_discount_is_no_code():
    (event,) = parse("orders/paid", body("order_paid") | {"discount_codes": [{"code": ""}]})
    assert event.discount_codes == ()


def test_order_without_a_customer_is_an_order():
    (event,) = parse("orders/paid", body("order_without_customer"))
    assert (event.person.email, event.person.phone, event.person.external_id) == (None, None, None)


@pytest.mark.parametrize("state", ["pending", "authorized", "partially_paid", "voided", None])
def test_order_without_its_money_is_no_event(state):
    assert parse("orders/create", body("order_paid") | {"financial_status": state}) == []


def test_later_deliveries_of_an_order_do_not_say_when_it_was_paid():
    (event,) = parse("orders/updated", body("order_paid"))
    assert event.paid_at is None


def test_cancelled_order_becomes_all_that_it_shows():
    events = parse("orders/cancelled", body("order_cancelled"))
    assert [type(event) for event in events] == [OrderPaid, OrderRefunded, OrderCancelled]
    assert events[1] == OrderRefunded(
        "5500010001", "3300002", Decimal("58.95"), datetime(2026, 2, 21, 17, tzinfo=UTC)
    )
    assert events[2].at == datetime(2026, 2, 21, 17, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize("topic", ["orders/cancelled", "orders/fulfilled", "orders/updated"])
def test_body_that_is_replayed_under_another_topic_adds_nothing(topic):
    assert [type(event) for event in parse(topic, body("order_paid"))] == [OrderPaid]


# Refunds


def test_refund_is_the_money_that_went_back():
    (event,) = parse("refunds/create", body("refund"))
    assert event == OrderRefunded(
        "5500010001", "3300001", Decimal("26.50"), datetime(2026, 2, 24, 18, 0, 5, tzinfo=UTC)
    )


def test_pending_refund_is_no_event():
    refund = body("refund")
    refund["transactions"][0]["status"] = "pending"
    assert parse("refunds/create", refund) == []


# Disputes

DISPUTE = {
    "id": 77,
    "order_id": 5,
    "status": "needs_response",
    "amount": "11.50",
    "initiated_at": "2026-03-02T00:00:00Z",
    "finalized_on": None,
}


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("needs_response", DisputeStatus.open),
        ("under_review", DisputeStatus.open),
        ("a_new_word", DisputeStatus.open),
        ("won", DisputeStatus.won),
        ("lost", DisputeStatus.lost),
        ("accepted", DisputeStatus.lost),
        ("charge_refunded", DisputeStatus.lost),
        ("prevented", DisputeStatus.lost),
    ],
)
def test_dispute_is_open_until_it_is_decided(status, read):
    (event,) = parse("disputes/update", DISPUTE | {"status": status})
    at = datetime(2026, 3, 2, tzinfo=UTC) if read is DisputeStatus.open else NOW
    assert event == OrderDisputed("5", "77", read, at, Decimal("11.50"))


def test_dispute_without_an_id_is_that_of_its_order_and_one_without_an_order_is_none():
    (event,) = parse("disputes/create", {"order_id": 1, "status": "needs_response"})
    assert event == OrderDisputed("1", "1", DisputeStatus.open, NOW)
    assert parse("disputes/create", DISPUTE | {"order_id": None}) == []


# Parcels

PARCEL = {
    "id": 1,
    "order_id": 5,
    "status": "success",
    "created_at": "2026-03-01T00:00:00Z",
    "updated_at": "2026-03-03T00:00:00Z",
}


def test_parcel_is_fulfilled_then_delivered():
    sent = ParcelSent("5", "1", datetime(2026, 3, 1, tzinfo=UTC))
    assert parse("fulfillments/create", PARCEL) == [sent]
    assert parse("fulfillments/create", PARCEL | {"status": "failure"}) == []
    events = parse("fulfillments/update", PARCEL | {"shipment_status": "delivered"})
    assert events[1] == ParcelDelivered("5", "1", datetime(2026, 3, 3, tzinfo=UTC))


def test_parcel_says_how_many_pieces_it_holds_and_whether_it_was_cancelled():
    lines = [{"id": 1, "quantity": 2}, {"id": 2, "quantity": 1}]
    (sent,) = parse("fulfillments/create", PARCEL | {"line_items": lines})
    assert sent.quantity == 3
    at = datetime(2026, 3, 3, tzinfo=UTC)
    assert parse("fulfillments/update", PARCEL | {"status": "cancelled"}) == [ParcelCancelled("5", "1", at)]
    (unnamed,) = parse("fulfillments/create", PARCEL | {"id": None})
    assert unnamed.parcel_id == "5"


def test_fulfillment_event_of_a_delivery_is_delivered():
    event = {
        "order_id": 5,
        "fulfillment_id": 1,
        "status": "delivered",
        "happened_at": "2026-03-02T00:00:00Z",
    }
    assert parse("fulfillment_events/create", event) == [
        ParcelDelivered("5", "1", datetime(2026, 3, 2, tzinfo=UTC))
    ]
    assert parse("fulfillment_events/create", event | {"status": "in_transit"}) == []


def test_order_names_the_parcels_it_was_sent_in_and_those_that_arrived():
    arrived = PARCEL | {"shipment_status": "delivered"}
    other, gone = PARCEL | {"id": 2}, PARCEL | {"id": 3, "status": "cancelled"}
    order = body("order_paid") | {"fulfillments": [arrived, other, gone]}
    events = parse("orders/fulfilled", order | {"fulfillment_status": "fulfilled"})
    assert [type(event) for event in events[1:]] == [OrderFulfilled, ParcelDelivered, ParcelCancelled]
    assert events[1].parcels == ("1", "2")
    events = parse("orders/partially_fulfilled", order | {"fulfillment_status": "partial"})
    assert [type(event) for event in events[1:]] == [
        ParcelSent,
        ParcelDelivered,
        ParcelSent,
        ParcelCancelled,
    ]


# Share slugs


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"landing_site": "/?ref=4abcdefgh"}, "4abcdefgh"),
        ({"landing_site": "https://x.example/p?a=1&ref=4ABCDEFGH"}, "4abcdefgh"),
        ({"landing_site": "/discount/ANA-7K4QX?redirect=%2F%3Fref%3D4abcdefgh"}, "4abcdefgh"),
        ({"landing_site": "https://x.example/discount/A?redirect=/p%3Fa%3D1%26ref%3D4abcdefgh"}, "4abcdefgh"),
        ({"landing_site": "/discount/A?redirect=http://[bad?ref=4abcdefgh"}, None),
        ({"note_attributes": [{"name": "tenfold_ref", "value": "4abcdefgh"}]}, "4abcdefgh"),
        ({"note_attributes": [{"name": "ref", "value": "4abcdefgh"}]}, "4abcdefgh"),
        ({"note_attributes": {"gift": "yes", "ref": "4abcdefgh"}}, "4abcdefgh"),
        ({"landing_site": "/?ref=producthunt.com"}, None),
        ({"landing_site": None}, None),
        ({"landing_site": "http://[bad"}, None),
    ],
)
def test_share_slug_is_read_from_the_landing_page_or_a_note(changes, slug):
    assert parse("orders/paid", body("order_paid") | changes)[0].referral == slug


def test_shop_link_applies_the_code_and_leads_on_with_the_slug():
    link = SHOPIFY.shop_link("https://shop.example", "ANA-7K4QX", "3abcdefgh")
    assert link == "https://shop.example/discount/ANA-7K4QX?redirect=%2F%3Fref%3D3abcdefgh"
    # Shopify notes the first address of a visit, so this one.
    assert parse("orders/paid", body("order_paid") | {"landing_site": link})[0].referral == "3abcdefgh"


# Customers


@pytest.mark.parametrize(
    ("state", "given"),
    [
        ("subscribed", True),
        ("unsubscribed", False),
        ("not_subscribed", None),
        ("pending", None),
        ("redacted", None),
    ],
)
def test_only_a_subscription_and_its_end_are_statements(state, given):
    customer = body("customer")
    customer["sms_marketing_consent"]["state"] = state
    (event,) = parse("customers/update", customer)
    assert isinstance(event, CustomerUpdated)
    assert event.person.sms_consent.given is given
    assert event.person.sms_consent.at == datetime(2026, 1, 6, 12, tzinfo=UTC)


def test_only_the_redaction_of_a_customer_erases():
    (event,) = parse("customers/redact", body("customers_redact"))
    assert event == CustomerErased("6001001", "mara@example.com", "+15035550187")
    with pytest.raises(Unparseable, match="orders_to_redact"):
        parse("customers/redact", body("customers_data_request"))


def test_a_request_for_data_and_the_end_of_a_shop_are_told_from_an_erasure():
    (event,) = parse("customers/data_request", body("customers_data_request"))
    assert event == DataRequested("77", NOW, "6001001", "mara@example.com", "+15035550187")
    assert parse("shop/redact", body("shop_redact")) == [ShopErased("harbour-mugs.myshopify.com")]
    with pytest.raises(Unparseable, match="orders_requested"):
        parse("customers/data_request", body("customers_redact"))


@pytest.mark.parametrize("name", ["customers_data_request", "customers_redact", "order_paid", "customer"])
def test_no_other_signed_body_erases_a_shops_people(name):
    with pytest.raises(Unparseable, match="shop_id"):
        parse("shop/redact", body(name))


# Bad input


def test_body_of_an_unused_topic_is_not_read():
    assert SHOPIFY.parse(RawDelivery("carts/update", b"\xff{", NOW)) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":NaN}',
        b'{"id":1,"financial_status":"paid"}',
        b'{"id":1,"financial_status":"paid","currency":"XXQ"}',
    ],
)
def test_bad_order_has_a_reason(raw):
    with pytest.raises(Unparseable, match=r"\.$"):
        SHOPIFY.parse(RawDelivery("orders/paid", raw, NOW))
