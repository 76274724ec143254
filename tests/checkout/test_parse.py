"""The bodies of the checkout API are read exactly, and unknown fields are refused."""

import json

import pytest
from pydantic import BaseModel

from app.checkout.parse import Rollback, parse_basket, parse_purchase, parse_rollback
from app.checkout.schemas import BasketBody, OrderBody, PurchaseBody, RollbackBody
from app.platforms.events import Unparseable
from tests.support.constants import NOW

ORDER = {"id": "1", "currency": "EUR", "total": "72.00"}


def raw(**body: object) -> bytes:
    return json.dumps(body).encode()


def test_numbers_are_read_exactly() -> None:
    basket = parse_basket(b'{"code": " ana-7k4qx ", "order": {"subtotal": 80.10, "currency": "EUR"}}')
    assert (basket.code, basket.currency, basket.subtotal("EUR")) == ("ana-7k4qx", "EUR", 8010)
    assert parse_rollback(b'{"amount": 36.10}') == Rollback("36.10", "rolled_back")
    assert parse_rollback(raw(reason="till error")) == Rollback(None, "till error")


def test_purchase_is_an_order_as_webhooks_carry_it() -> None:
    purchase = parse_purchase(raw(code="X", shop="acme", order=ORDER))
    paid = purchase.paid(now=NOW)
    assert (purchase.shop, paid.order_id, paid.total, paid.placed_at) == ("acme", "1", 7200, NOW)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"code": "X", "order": ORDER, "shopp": "a"}, "shopp"),
        ({"code": "X", "order": ORDER | {"totl": "1"}}, "order.totl"),
        ({"code": "X", "order": ORDER | {"customer": {"mail": "a@example.com"}}}, "order.customer.mail"),
        ({"code": "X", "order": ORDER | {"items": [{"name": "Mug"}]}}, "name"),
        ({"code": "X", "order": ORDER | {"shipping_address": {"street": "Rue"}}}, "street"),
        ({"code": "X", "order": ORDER | {"discounts": [{"code": "X", "off": "8.00"}]}}, "off"),
        ({"order": ORDER}, "code is missing"),
        ({"code": "X"}, "order is missing"),
    ],
)
def test_unknown_and_missing_fields_are_named(body: dict[str, object], field: str) -> None:
    with pytest.raises(Unparseable, match=field):
        parse_purchase(raw(**body))


@pytest.mark.parametrize("model", [BasketBody, OrderBody, PurchaseBody, RollbackBody])
def test_documented_bodies_refuse_unknown_fields_as_the_parser_does(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    shapes = [schema, *schema.get("$defs", {}).values()]
    refused = {shape["title"]: shape.get("additionalProperties") for shape in shapes}
    # The parser reads consent leniently, wherever it comes from.
    refused.pop("ConsentState", None)
    assert set(refused.values()) == {False}
