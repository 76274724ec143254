import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from app.platforms.checkout.adapter import CheckoutAdapter
from app.platforms.checkout.parse import _READERS
from app.platforms.delivery_types import RawDelivery, RefusedDelivery, VerifiedDelivery
from app.platforms.events import (
    CodeDiscount,
    CustomerErased,
    CustomerUpdated,
    DisputeStatus,
    OrderDisputed,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    Unparseable,
)
from tests.support.constants import NOW, SECRET

CHECKOUT = CheckoutAdapter()
PLACED = "2026-03-01T10:00:00+01:00"


def order(**changes) -> dict:
    data = {
        "id": "1001",
        "number": "#1001",
        "placed_at": PLACED,
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "84.90",
        "discount_total": "8.00",
        "discount_codes": ["ANA-7K4QX", " "],
        "referral": None,
        "source": "web",
        "tags": ["b2c"],
        "test": False,
        "customer": {
            "id": "7",
            "email": "Ann@Example.com",
            "phone": None,
            "first_name": "Ann",
            "email_consent": True,
            "sms_consent": False,
        },
        "items": [{"sku": "S1", "title": "Mug", "quantity": 2, "unit_price": "40.00"}],
        "shipping_address": {
            "line1": "Main St 1",
            "line2": None,
            "city": "Berlin",
            "postal_code": "10115",
            "country": "de",
        },
        "payment_fingerprint": None,
    }
    return data | changes


def body(kind: str, data: object, **envelope) -> bytes:
    return json.dumps({"type": kind, "timestamp": "2026-03-02T00:00:00Z", "data": data} | envelope).encode()


def parse(raw: bytes):
    return CHECKOUT.parse(RawDelivery("", raw, NOW))


def paid(**changes) -> OrderPaid:
    (event,) = parse(body("order.paid", order(**changes)))
    assert isinstance(event, OrderPaid)
    return event


def signed(raw: bytes, secret: str = SECRET, at: datetime = NOW, message_id: str = "msg_1") -> dict[str, str]:
    signature = Webhook(secret).sign(message_id, at, raw.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


# Signatures

# The published example of the Standard Webhooks libraries.
PUBLISHED_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLISHED_BODY = b'{"test": 2432232314}'
PUBLISHED_AT = datetime.fromtimestamp(1614265330, UTC)
PUBLISHED_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER_SIGNATURE = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


def verify_published(signature: str):
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": signature,
    }
    return CHECKOUT.verify(headers, PUBLISHED_BODY, [PUBLISHED_SECRET], now=PUBLISHED_AT)


@pytest.mark.parametrize(
    "signature",
    [
        PUBLISHED_SIGNATURE,
        f"{OTHER_SIGNATURE} {PUBLISHED_SIGNATURE}",
        f"{OTHER_SIGNATURE} {PUBLISHED_SIGNATURE.replace('v1', 'v2')} {PUBLISHED_SIGNATURE}",
    ],
)
def test_published_signature_is_accepted(signature):
    assert verify_published(signature) == VerifiedDelivery("unreadable", "msg_p5jXN8AQM9LWM0D4loKWxJek")


@pytest.mark.parametrize(
    "signature",
    [
        PUBLISHED_SIGNATURE.replace("OE=", "OA="),
        PUBLISHED_SIGNATURE.replace("v1", "v2"),
        PUBLISHED_SIGNATURE.removeprefix("v1,"),
        OTHER_SIGNATURE,
        "v1,",
        "v1abc",
        "v1,a,b",
        "v1,abc",
        "",
        " ",
        "v1a,YWJj",
    ],
)
def test_other_and_malformed_signatures_are_refused(signature):
    assert verify_published(signature) == RefusedDelivery()


def verify(headers: dict[str, str], raw: bytes = b"{}", secrets=(SECRET,), *, now: datetime = NOW):
    return CHECKOUT.verify(headers, raw, secrets, now=now)


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_time_may_be_off_by_five_minutes(seconds):
    assert isinstance(verify(signed(b"{}"), now=NOW + timedelta(seconds=seconds)), VerifiedDelivery)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_time_that_is_off_by_more_is_refused(seconds):
    assert verify(signed(b"{}"), now=NOW + timedelta(seconds=seconds)) == RefusedDelivery()


def test_both_secrets_of_an_exchange_are_accepted():
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    for secret in (SECRET, other):
        assert isinstance(verify(signed(b"{}", secret), secrets=[other, SECRET]), VerifiedDelivery)
    assert verify(signed(b"{}", SECRET), secrets=[other]) == RefusedDelivery()


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_missing_header_is_refused(missing):
    headers = signed(b"{}")
    del headers[missing]
    assert verify(headers) == RefusedDelivery()


@pytest.mark.parametrize("secrets", [[], [""], ["whsec_"]])
def test_shop_without_a_key_accepts_nothing(secrets):
    assert verify(signed(b"{}"), secrets=secrets) == RefusedDelivery()


@given(
    signature=st.one_of(st.text(max_size=80), st.just("right")),
    stamp=st.one_of(
        st.text(max_size=14), st.integers(-400, 400).map(lambda off: str(int(NOW.timestamp()) + off))
    ),
)
def test_same_requests_are_accepted_as_by_the_library(signature, stamp):
    raw = b'{"type":"x"}'
    right = signed(raw)
    if stamp.isascii() and stamp.isdigit():
        right["webhook-signature"] = Webhook(SECRET).sign(
            "msg_1", datetime.fromtimestamp(int(stamp), UTC), raw.decode()
        )
    headers = (
        right
        | {"webhook-timestamp": stamp}
        | ({} if signature == "right" else {"webhook-signature": signature})
    )
    accepted = isinstance(CHECKOUT.verify(headers, raw, [SECRET], now=NOW), VerifiedDelivery)
    assert accepted == _is_accepted_by_library(headers, raw)


def _is_accepted_by_library(headers: dict[str, str], raw: bytes) -> bool:
    class AtNoon(Webhook):
        def _Webhook__verify_timestamp(self, stamp: str) -> datetime:  # noqa: N802  # its private clock check
            at = datetime.fromtimestamp(float(stamp), UTC)
            if abs((NOW - at).total_seconds()) > 300:
                raise WebhookVerificationError
            return at

    try:
        AtNoon(SECRET).verify(raw, headers)
    except Exception:  # noqa: BLE001  # the library raises many kinds
        return False
    return True


def test_topic_is_the_type_in_the_body_and_an_unusual_id_is_hashed():
    for raw, topic in (
        (b'{"type":"order.paid"}', "order.paid"),
        (b"{", "unreadable"),
        (b'{"type":"a\\u0000b"}', "unreadable"),
        (b"[1]", "unreadable"),
    ):
        assert CHECKOUT.verify(signed(raw), raw, [SECRET], now=NOW).topic == topic
    assert CHECKOUT.verify(
        signed(b"{}", message_id="m" * 500), b"{}", [SECRET], now=NOW
    ).external_id.startswith("sha256:")


# Bodies


def test_order_is_read_whole():
    event = paid()
    assert (event.order_id, event.number, event.currency) == ("1001", "#1001", "EUR")
    assert (event.subtotal, event.total, event.discount_total) == (8000, 8490, 800)
    assert event.placed_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert event.discount_codes == ("ANA-7K4QX",)
    assert event.shipping_address == ("Main St 1", "", "10115", "Berlin", "de")
    assert event.person.shipping_country == "DE"
    assert (event.person.email_consent.given, event.person.sms_consent.given) == (True, False)
    assert (event.items[0].quantity, event.items[0].unit_price) == (2, 4000)


def test_everything_but_ids_money_and_currency_may_be_absent():
    (event,) = parse(
        json.dumps({"type": "order.paid", "data": {"id": 5, "currency": "JPY", "total": 800}}).encode()
    )
    assert isinstance(event, OrderPaid)
    assert (event.order_id, event.number, event.total, event.subtotal, event.placed_at) == (
        "5",
        "5",
        800,
        None,
        NOW,
    )
    assert event.person.email is None
    (event,) = parse(
        body("order.paid", dict.fromkeys(order()) | {"id": "5", "currency": "EUR", "total": "1"})
    )
    assert event.placed_at == datetime(2026, 3, 2, tzinfo=UTC)


def test_json_number_keeps_its_decimals():
    raw = body("order.paid", order()).replace(b'"84.90"', b"84.90").replace(b'"80.00"', b"9007199254740.93")
    (event,) = parse(raw)
    assert isinstance(event, OrderPaid)
    assert (event.total, event.subtotal) == (8490, 900719925474093)


@pytest.mark.parametrize(
    ("consent", "given"),
    [
        (True, True), (False, False), (None, None), ({"state": "subscribed"}, True), ({"state": "unsubscribed"}, False),
        ({"state": "not_subscribed"}, None), ({"state": "pending"}, None), ({"state": True}, True), ({}, None),
    ],
)  # fmt: skip
def test_consent_is_a_flag_or_an_object(consent, given):
    assert paid(customer={"id": "7", "sms_consent": consent}).person.sms_consent.given is given


def test_consent_keeps_its_level_source_and_time():
    statement = {
        "state": "subscribed",
        "opt_in_level": "confirmed_opt_in",
        "at": "2026-01-01T00:00:00Z",
        "source": "footer",
    }
    consent = paid(customer={"email_consent": statement}).person.email_consent
    assert (consent.opt_in_level, consent.source, consent.at) == (
        "confirmed_opt_in",
        "footer",
        datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_facts_and_customers_are_read():
    for kind in ("order.fulfilled", "order.delivered", "order.cancelled"):
        (event,) = parse(body(kind, {"order_id": 9, "at": None}))
        assert event.order_id == "9"
        assert event.at == datetime(2026, 3, 2, tzinfo=UTC)
    (event,) = parse(body("order.fulfilled", {"order_id": "9", "at": PLACED}))
    assert event == OrderFulfilled("9", datetime(2026, 3, 1, 9, tzinfo=UTC))
    (event,) = parse(
        body("order.refunded", {"order_id": "9", "refund_id": "r1", "amount": "2.50", "at": PLACED})
    )
    assert isinstance(event, OrderRefunded)
    assert event.amount == Decimal("2.50")
    disputed = {"order_id": "9", "dispute_id": "d1", "status": "lost", "amount": "80.00", "at": PLACED}
    (event,) = parse(body("order.disputed", disputed))
    assert event == OrderDisputed(
        "9", "d1", DisputeStatus.lost, datetime(2026, 3, 1, 9, tzinfo=UTC), Decimal("80.00")
    )
    with pytest.raises(Unparseable, match=r"data\.status must be open, won or lost"):
        parse(body("order.disputed", disputed | {"status": "settled"}))
    (event,) = parse(body("customer.updated", {"id": "7", "email": "a@b.example", "email_consent": False}))
    assert isinstance(event, CustomerUpdated)
    assert event.person.email_consent.given is False
    (event,) = parse(body("customer.erased", {"id": "7", "email": None}))
    assert event == CustomerErased("7", None)


def test_unused_type_has_no_events():
    assert parse(body("cart.abandoned", {})) == []


def test_text_loses_what_cannot_be_stored_and_keeps_its_script():
    first, last = "Zoë 👩‍👩‍👧", "\u202bعبد الله"
    raw = body("order.paid", order(customer={"first_name": "A\nB\u0000\ud83d", "last_name": last}))
    (event,) = parse(raw)
    assert isinstance(event, OrderPaid)
    assert (event.person.first_name, event.person.last_name) == ("A B", "عبد الله")
    assert paid(customer={"first_name": first}).person.first_name == first


def test_null_in_a_list_of_texts_is_left_out():
    assert paid(discount_codes=[None, "ANA-7K4QX"], tags=[None]).discount_codes == ("ANA-7K4QX",)


def test_body_with_half_a_surrogate_pair_has_its_topic():
    raw = rb'{"type":"order.paid","data":{"id":"1","currency":"EUR","total":"1.00","customer":{"first_name":"A\ud83d"}}}'
    assert CHECKOUT.verify(signed(raw), raw, [SECRET], now=NOW).topic == "order.paid"
    (event,) = parse(raw)
    assert event.person.first_name == "A"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"currency": "XXQ"}, "currency"), ({"currency": None}, "currency"), ({"currency": 7}, "currency"),
        ({"total": "-1.00"}, "total must not be negative"), ({"total": None}, "total is missing"),
        ({"total": True}, "total"), ({"total": "NaN"}, "total"), ({"total": "1e400"}, "total"), ({"total": 10**5000}, "JSON"),
        ({"id": None}, "id is missing"), ({"id": ""}, "id is missing"), ({"id": "a\u0000b"}, "id must"), ({"id": "a\ud800"}, "id must"),
        ({"id": True}, "id must"), ({"id": "x" * 129}, "id must"),
    ],
)  # fmt: skip
def test_unusable_field_is_named_in_the_reason(changes, reason):
    with pytest.raises(Unparseable) as refusal:
        parse(
            json.dumps({"type": "order.paid", "data": order(**changes)}).encode()
            if changes.get("total") != 10**5000
            else _huge()
        )
    assert reason in str(refusal.value)
    str(refusal.value).encode()
    assert "\0" not in str(refusal.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"subtotal": "x"}, {"discount_total": "-1"}, {"shipping_total": []}, {"number": {}}, {"updated_at": "soon"},
        {"placed_at": "yesterday"}, {"placed_at": "2026-03-01T10:00:00"}, {"placed_at": "0001-01-01T00:00:00+14:00"}, {"placed_at": 5},
        {"customer": []}, {"customer": "Leo"}, {"customer": {"email": {}}}, {"customer": {"id": "x" * 129}},
        {"customer": {"email_consent": "perhaps"}}, {"customer": {"email_consent": {"state": True, "at": "then"}}},
        {"items": {}}, {"items": [5]}, {"items": [{"title": [], "quantity": -1, "unit_price": "a lot"}]},
        {"discount_codes": [5]}, {"discount_codes": "ANA"}, {"discounts": {"code": "ANA"}}, {"discounts": [{"code": 5, "amount": "x"}]},
        {"tags": "vip"}, {"tags": {"a": 1}}, {"source": []}, {"referral": True}, {"shipping_address": "Hauptstr. 1"},
        {"shipping_address": {"line1": {}}}, {"payment_fingerprint": []},
    ],
)  # fmt: skip
def test_what_is_only_informational_never_loses_an_order(changes):
    event = paid(**changes)
    assert (event.order_id, event.currency, event.total) == ("1001", "EUR", 8490)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("7.997", "EUR", 800), (80.0037, "EUR", 8000), ("80.005", "EUR", 8001), ("1.5", "JPY", 2), (2.0005, "KWD", 2001)],
)  # fmt: skip
def test_amounts_are_rounded_half_up_to_the_decimals_of_the_currency(amount, currency, minor):
    event = paid(total=amount, subtotal=amount, shipping_total=amount, currency=currency)
    assert (event.total, event.subtotal, event.shipping_total) == (minor, minor, minor)


def test_lines_may_be_discounts_and_quantities_parts_or_texts():
    lines = [
        {"title": "Discount", "quantity": 1, "unit_price": "-5.00"},
        {"title": "Cheese", "quantity": 0.5, "unit_price": "9.999"},
        {"title": "Rope", "quantity": "1.5"},
        {"title": "Mug", "quantity": "2"},
        {"title": "Cup"},
        {"title": "Bowl", "quantity": "many"},
    ]
    items = paid(items=lines).items
    assert [item.quantity for item in items] == [1, 0.5, 1.5, 2, 1, None]
    assert [item.unit_price for item in items[:3]] == [-500, 1000, None]


def test_discounts_say_what_each_code_took_off_and_name_codes_too():
    event = paid(
        discount_codes=["SALE", "ANA-7K4QX"],
        discounts=[
            {"code": "ANA-7K4QX", "amount": "6.40"},
            {"code": "FREESHIP", "amount": -4.9},
            {"amount": 1},
        ],
    )
    assert event.discount_codes == ("SALE", "ANA-7K4QX", "FREESHIP")
    assert event.discounts == (CodeDiscount("ANA-7K4QX", 640), CodeDiscount("FREESHIP", 490))


def test_changed_order_is_the_order_as_it_was_when_it_was_changed():
    changed = order(updated_at="2026-03-05T10:00:00Z")
    (event,) = parse(body("order.updated", changed))
    assert isinstance(event, OrderPaid)
    assert event.version_at == datetime(2026, 3, 5, 10, tzinfo=UTC)
    (event,) = parse(body("order.updated", order(placed_at=None)))
    assert (event.version_at, event.placed_at_stated) == (datetime(2026, 3, 2, tzinfo=UTC), False)


def test_part_of_an_order_is_sent_or_arrives():
    for kind in ("order.fulfilled", "order.delivered"):
        partial = [
            parse(body(kind, {"order_id": 9, "partial": given}))[0].partial for given in (True, False, None)
        ]
        assert partial == [True, False, False]


def test_refund_says_how_much_of_it_is_shipping():
    refund = {"order_id": 9, "refund_id": 1, "amount": "20.00"}
    shipping = [
        parse(body("order.refunded", refund | {"shipping": given}))[0].shipping
        for given in ("5.00", None, "free", "50.00")
    ]
    assert shipping == [Decimal(5), 0, 0, Decimal(20)]


def _huge() -> bytes:
    return body("order.paid", order()).replace(b'"84.90"', b"1" + b"0" * 5000)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"5", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"type":"order.paid","data":NaN}',
        b'{"type":"order.paid","data":{"total":Infinity}}', b'{"type":5}', b'{"data":{}}', b'{"type":"order.paid"}', b'{"type":"order.paid","data":[]}',
        b'{"type":"order.paid","data":{"total":1e99999999999999999999}}', b'{"type":["order.paid"],"data":{}}',
    ],
)  # fmt: skip
def test_garbled_body_has_a_reason(raw):
    if raw == b'{"type":5}':
        assert parse(raw) == []
        return
    with pytest.raises(Unparseable, match=r"\.$"):
        parse(raw)


def test_reason_holds_no_address():
    with pytest.raises(Unparseable) as refusal:
        parse(body("order.paid", order(total="ann@x.example")))
    assert "x.example" not in str(refusal.value)


_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "email", "state", "country"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(
    kind=st.sampled_from(sorted(_READERS)),
    changes=st.dictionaries(st.sampled_from([*order(), "order_id", "refund_id", "amount", "at"]), _values),
)
def test_any_json_is_parsed_or_has_a_reason(kind, changes):
    try:
        events = parse(body(kind, order(order_id="1", refund_id="2", amount="3", at=PLACED) | changes))
    except Unparseable:
        return
    assert len(events) == 1


# Links to the shop


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://shop.example", "https://shop.example/?ref=3abc&discount=ANA-7K4QX"),
        ("https://shop.example/de/?a=1#top", "https://shop.example/de/?a=1&ref=3abc&discount=ANA-7K4QX"),
    ],
)
def test_shop_link_carries_the_slug_and_the_code(url, link):
    assert CHECKOUT.shop_link(url, "ANA-7K4QX", "3abc") == link
