"""What a raw body names, whatever its spelling."""

import json

import pytest

from app.ingest.mentions import mentions_of


def found(content: object, *, topic: str = "orders/paid", regions: tuple[str, ...] = ()):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return mentions_of(raw, topic=topic, regions=regions)


@pytest.mark.parametrize(
    ("raw", "email"),
    [
        (rb'{"email": "ana\u002Bx@example.com"}', "ana+x@example.com"),
        (b'{"email": "ANA@Example.COM "}', "ana@example.com"),
        ('{"email": "ana@bücher.example"}'.encode(), "ana@xn--bcher-kva.example"),
        (rb'{"email": "ana@b\u00fccher.example"}', "ana@xn--bcher-kva.example"),
        (b'{"email": "ana@xn--bcher-kva.example"}', "ana@xn--bcher-kva.example"),
        (b'{"note": "please write to <ana@example.com>, thanks"}', "ana@example.com"),
        (b'{"landing_site": "/?email=ana%40example.com&x=1"}', "ana@example.com"),
        (b'{"a": [[{"b": ["mailto:ana@example.com"]}]]}', "ana@example.com"),
        (b"no json, but ana@example.com", "ana@example.com"),
        (b"\xff\xfe ana@example.com", "ana@example.com"),
    ],
)
def test_an_address_is_found_in_every_spelling(raw: bytes, email: str):
    assert email in found(raw).emails


def test_a_longer_address_is_not_the_shorter_one():
    assert found({"email": "joanna@example.com", "note": "hanna@example.com"}).emails == {
        "joanna@example.com",
        "hanna@example.com",
    }


@pytest.mark.parametrize(
    ("content", "regions"),
    [
        ({"phone": "+49 170 1234567"}, ()),
        ({"phone": "+49\u00a0170\u00a01234567"}, ()),
        ({"phone": "0170\u00a0123\u00a045\u00a067"}, ("DE",)),
        ({"phone": "0170/1234567", "shipping_address": {"country_code": "DE"}}, ()),
        ({"customer": {"mobile": "0049 170 1234567"}}, ()),
        ({"phone": 491701234567, "country": "DE"}, ("DE",)),
        (b"call +49 170 1234567 please", ()),
    ],
)
def test_a_number_is_found_in_every_spelling(content: object, regions: tuple[str, ...]):
    assert "+491701234567" in found(content, regions=regions).phones


def test_ids_are_those_of_customers_and_orders_only():
    order = {"id": 1, "customer": {"id": 7, "default_address": {"customer_id": 8}}, "order_id": 9}
    assert (found(order).references, found(order).orders) == ({"7", "8"}, {"9"})
    assert found({"id": 5}, topic="customers/update").references == {"5"}
    assert found({"data": {"id": "c5"}}, topic="customer.updated").references == {"c5"}


def test_the_buyers_address_is_told_from_others():
    body = {
        "data": {
            "customer": {"email": "buyer@example.com"},
            "shipping_address": {"email": "friend@example.com"},
            "note": "for other@example.com",
        }
    }
    assert found(body).buyer_emails == {"buyer@example.com"}
    assert len(found(body).emails) == 3


def test_codes_are_found_as_they_are_compared():
    body = {"discount_codes": ["ana-7k4qx", {"code": "ANA 7K4QY"}], "landing_site": "/discount/ANA-7K4QZ?x=1"}
    assert {"ANA7K4QX", "ANA7K4QY", "ANA7K4QZ"} <= found(body).codes


def test_the_buyer_of_an_order_of_hundreds_of_lines_is_found():
    prices = {"shop_money": {"amount": "1.00"}, "presentment_money": {"amount": "1.00"}}
    line = {"price_set": prices, "tax_lines": [{"price_set": prices}] * 3}
    body = {"email": "buyer@example.com", "line_items": [line] * 2000}
    assert found(body).emails == {"buyer@example.com"}


def test_a_hostile_body_is_read_in_bounded_time():
    deep = b"[" * 200_000
    assert found(deep).emails == set()
    many = json.dumps({"note": "@" * 500_000, "x": ["a@b.co"] * 100_000, "phone": "+" * 300_000})
    assert found(many.encode()).emails == {"a@b.co"}
