import base64
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from starlette.datastructures import Headers

from app.platforms import shopify
from app.platforms.events import (
    CustomerErased,
    CustomerUpdated,
    OrderCancelled,
    OrderDelivered,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    Refused,
    Unparseable,
)
from tests.support import samples
from tests.support.constants import NOW

SECRET = "test_secret_key"


def sample(name: str) -> dict:
    return samples.sample("shopify", name)


def parse(topic: str, data: object) -> list:
    return shopify.parse(topic, json.dumps(data).encode(), received_at=NOW)


def sign(raw: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode()


def headers(
    raw: bytes, *, prefix: str = "X-", topic: str = "orders/paid", secret: str = SECRET, **more: str
) -> Headers:
    given = {
        f"{prefix}Shopify-Hmac-Sha256": sign(raw, secret),
        f"{prefix}Shopify-Topic": topic,
        f"{prefix}Shopify-Webhook-Id": "w1",
    }
    return Headers(given | more)


# Signatures


def test_published_signatures_pass_and_no_other_body_does():
    for vector in samples.sample("shopify", "signatures"):
        given = Headers(
            {
                "X-Shopify-Hmac-Sha256": vector["X-Shopify-Hmac-Sha256"],
                "X-Shopify-Topic": "orders/paid",
                "X-Shopify-Webhook-Id": "w1",
            }
        )
        raw = vector["raw_body"].encode()
        delivery = shopify.verify(given, raw, [vector["secret"]], now=NOW)
        assert (delivery.topic, delivery.external_id) == ("orders/paid", "w1")
        with pytest.raises(Refused):
            shopify.verify(given, raw + b" ", [vector["secret"]], now=NOW)


def test_both_header_sets_and_both_secrets_are_taken():
    for prefix in ("", "X-", "x-"):
        assert (
            shopify.verify(headers(b"{}", prefix=prefix), b"{}", ["new", SECRET], now=NOW).external_id == "w1"
        )
    for given in (
        headers(b"{}", secret="old"),
        Headers({}),
        Headers({"X-Shopify-Hmac-Sha256": "é"}),
        Headers({"X-Shopify-Hmac-Sha256": ""}),
    ):
        for secrets in ([SECRET], [], [""]):
            with pytest.raises(Refused):
                shopify.verify(given, b"{}", secrets, now=NOW)


def test_a_delivery_without_an_id_is_known_by_its_body():
    first, other = (
        Headers({"X-Shopify-Hmac-Sha256": sign(b"{}")}),
        Headers({"X-Shopify-Hmac-Sha256": sign(b"[]")}),
    )
    ids = [
        shopify.verify(given, raw, [SECRET], now=NOW).external_id
        for given, raw in ((first, b"{}"), (first, b"{}"), (other, b"[]"))
    ]
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(Unparseable, match="topic"):
        parse(shopify.NO_TOPIC, {})


# Orders


def test_the_code_is_read_where_shopify_writes_it():
    (first, *_) = parse("orders/create", sample("order_discount_code_TENOFF"))
    assert isinstance(first, OrderPaid)
    assert (first.order_id, first.number, first.discount_codes) == ("450789469", "#1001", ("TENOFF",))
    assert (first.total, first.subtotal, first.discount_total, first.currency) == (59894, 59700, 1000, "USD")
    assert first.placed_at == datetime(2008, 1, 10, 16, tzinfo=UTC)
    assert first.person.email == "bob.norman@mail.example.com"
    assert first.person.phone == "+16136120707"
    assert first.person.country == "US"
    assert first.person.external_id == "207119551"
    assert (first.person.email_consent.given, first.person.sms_consent.given) == (None, None)
    assert first.shipping_address[0] == "Chestnut Street 92"
    (only,) = parse("orders/paid", sample("order_percent_code_FAKE30"))
    assert only.discount_codes == ("FAKE30",)


def test_a_blank_code_of_a_manual_discount_is_none():
    assert (
        parse("orders/paid", sample("order_percent_code_FAKE30") | {"discount_codes": [{"code": ""}]})[
            0
        ].discount_codes
        == ()
    )


def test_an_order_with_nobody_in_it_is_an_order():
    (event,) = parse("orders/paid", sample("order_blank_email_no_customer"))
    assert isinstance(event, OrderPaid)
    assert (event.person.email, event.person.phone, event.person.external_id) == (None, None, None)


def test_an_order_is_paid_only_when_its_money_came():
    for state in ("pending", "authorized", "partially_paid", "voided", None):
        assert parse("orders/create", sample("order_percent_code_FAKE30") | {"financial_status": state}) == []
    created = parse("orders/create", sample("order_percent_code_FAKE30"))
    assert created == parse("orders/paid", sample("order_percent_code_FAKE30"))


def test_a_cancelled_order_tells_all_that_is_seen_in_it():
    events = parse("orders/cancelled", sample("order_cancelled"))
    assert [type(event) for event in events] == [OrderPaid, OrderRefunded, OrderCancelled]
    assert events[1] == OrderRefunded(
        "450789469", "509562969", Decimal("209.00"), datetime(2025, 4, 2, 16, 29, 59, tzinfo=UTC)
    )
    assert events[2].at == datetime(2025, 4, 2, 16, 31, 25, tzinfo=UTC)


def test_a_body_replayed_under_another_topic_tells_nothing_new():
    paid = sample("order_percent_code_FAKE30")
    for topic in ("orders/cancelled", "orders/fulfilled", "orders/updated"):
        assert [type(event) for event in parse(topic, paid)] == [OrderPaid]
    with pytest.raises(Unparseable, match="orders_to_redact"):
        parse("customers/redact", sample("privacy_customers_data_request"))


def test_a_refund_counts_the_money_that_went_back():
    (event,) = parse("refunds/create", sample("refund"))
    assert event == OrderRefunded(
        "450789469", "929361472", Decimal("41.94"), datetime(2025, 4, 2, 16, 38, 34, tzinfo=UTC)
    )
    pending = sample("refund")
    pending["transactions"][0]["status"] = "pending"
    assert parse("refunds/create", pending) == []
    abroad = sample("refund")
    abroad["transactions"][0] |= {"currency": "JPY", "amount": "6000"}
    with pytest.raises(Unparseable, match="currency"):
        parse("refunds/create", abroad)
    abroad["refund_line_items"][0] |= {
        "subtotal_set": {"shop_money": {"amount": "40.00"}},
        "total_tax_set": {"shop_money": {"amount": "1.94"}},
    }
    (event,) = parse("refunds/create", abroad)
    assert event.amount == Decimal("41.94")


def test_parcels_are_fulfilled_and_arrive():
    parcel = {
        "id": 1,
        "order_id": 5,
        "status": "success",
        "created_at": "2026-03-01T00:00:00Z",
        "updated_at": "2026-03-03T00:00:00Z",
    }
    assert parse("fulfillments/create", parcel) == [OrderFulfilled("5", datetime(2026, 3, 1, tzinfo=UTC))]
    assert parse("fulfillments/create", parcel | {"status": "failure"}) == []
    delivered = parse("fulfillments/update", parcel | {"shipment_status": "delivered"})
    assert delivered[1] == OrderDelivered("5", datetime(2026, 3, 3, tzinfo=UTC))
    event = {"order_id": 5, "status": "delivered", "happened_at": "2026-03-02T00:00:00Z"}
    assert parse("fulfillment_events/create", event) == [
        OrderDelivered("5", datetime(2026, 3, 2, tzinfo=UTC))
    ]
    assert parse("fulfillment_events/create", event | {"status": "in_transit"}) == []
    order = sample("order_percent_code_FAKE30") | {
        "fulfillment_status": "fulfilled",
        "fulfillments": [parcel | {"shipment_status": "delivered"}],
    }
    assert [type(event) for event in parse("orders/fulfilled", order)] == [
        OrderPaid,
        OrderFulfilled,
        OrderDelivered,
    ]


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"landing_site": "/?ref=4abcdefgh"}, "4abcdefgh"), ({"landing_site": "https://x.example/p?a=1&ref=4ABCDEFGH"}, "4abcdefgh"),
        ({"note_attributes": [{"name": "tenfold_ref", "value": "4abcdefgh"}]}, "4abcdefgh"), ({"note_attributes": [{"name": "ref", "value": "4abcdefgh"}]}, "4abcdefgh"),
        ({"landing_site": "/?ref=producthunt.com"}, None), ({"landing_site": None}, None), ({"landing_site": "http://[bad"}, None),
    ],
)  # fmt: skip
def test_the_share_slug_a_friend_came_with_is_found(changes, slug):
    assert parse("orders/paid", sample("order_percent_code_FAKE30") | changes)[0].referral == slug


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
def test_only_yes_and_no_are_consent(state, given):
    customer = sample("customer_with_consent")
    customer["sms_marketing_consent"]["state"] = state
    (event,) = parse("customers/update", customer)
    assert isinstance(event, CustomerUpdated)
    assert event.person.sms_consent.given is given
    assert event.person.sms_consent.at == datetime(2024, 1, 1, 12, tzinfo=UTC)


def test_privacy_topics():
    (event,) = parse("customers/redact", sample("privacy_customers_redact"))
    assert event == CustomerErased("191167", "john@example.com", "555-625-1199")
    assert parse("customers/data_request", sample("privacy_customers_data_request")) == []
    assert parse("shop/redact", sample("privacy_shop_redact")) == []


def test_topics_we_do_not_use_are_not_even_read():
    assert shopify.parse("carts/update", b"\xff{", received_at=NOW) == []


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
def test_garbled_orders_say_why(raw):
    with pytest.raises(Unparseable, match=r"\.$"):
        shopify.parse("orders/paid", raw, received_at=NOW)
