"""Shopify's orders by its API: read page by page, and the same events as from their webhooks."""

import copy
import dataclasses
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from app.base.errors import OutsideError
from app.customers.person import ConsentStatement
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeBucket, FakeShop
from app.platforms.delivery_types import NeedsFetch, RawDelivery
from app.platforms.events import OrderPaid
from app.platforms.shopify.adapter import ShopifyAdapter
from app.platforms.shopify.order_body import order_body
from app.platforms.shopify.order_documents import ONE_ORDER
from app.platforms.shopify.orders import PAGE
from app.platforms.shopify.topics import TOPICS
from tests.support.constants import NOW
from tests.support.fake_shopify import custom_token
from tests.support.samples import sample

ADAPTER = ShopifyAdapter()
LARGE = FakeBucket(maximum=1e9, rate=1e9, available=1e9)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def body(number: int, **changes: Any) -> dict[str, Any]:
    """An order's body, changed so many seconds after the others."""
    found = copy.deepcopy(sample("shopify", "order_paid"))
    changed = datetime.fromisoformat(found["updated_at"]) + timedelta(seconds=number)
    return found | {"id": number, "name": f"#{number}", "updated_at": changed.isoformat()} | changes


def whole_order(number: int) -> dict[str, Any]:
    """An order with everything that is read of one: a parcel that arrived, and a refund."""
    order = body(number, fulfillment_status="fulfilled", financial_status="partially_refunded")
    at = "2026-02-22T08:00:00-08:00"
    line = order["line_items"][0]
    order["fulfillments"] = [
        {
            "id": 7_000_000_000_000_000_123,
            "status": "success",
            "shipment_status": "delivered",
            "created_at": at,
            "updated_at": at,
            "line_items": [{"quantity": line["quantity"]}],
        }
    ]
    order["refunds"] = [
        {
            "id": 880,
            "created_at": at,
            "processed_at": at,
            "transactions": [{"kind": "refund", "status": "success", "amount": "12.00", "currency": "USD"}],
            "refund_line_items": [{"line_item_id": line["id"], "quantity": 1}],
            "order_adjustments": [{"kind": "shipping_refund", "amount": "-2.00", "tax_amount": "-0.20"}],
        }
    ]
    order["landing_site"] = "/?ref=7k4m9qxzp"
    order["shipping_lines"] = [
        {"price": "5.95", "discounted_price": "5.95", "tax_lines": [{"price": "0.55"}]}
    ]
    return order


def events_of(raw: bytes) -> list[Any]:
    """What the body of a webhook says, without what the API does not show: consents to texts."""
    parsed = ADAPTER.parse(RawDelivery("orders/updated", raw, NOW))
    assert not isinstance(parsed, NeedsFetch)
    return [
        replace(each, person=replace(each.person, sms_consent=ConsentStatement()))
        if isinstance(each, OrderPaid)
        else each
        for each in parsed
    ]


def shown(event: Any) -> dict[str, Any]:
    """An event by its fields, and an order's person by theirs."""
    fields = dataclasses.asdict(event)
    return fields | fields.pop("person", {})


async def read_all(http, connection) -> tuple[list[bytes], int]:
    bodies, cursor, pages = [], None, 0
    while True:
        page = await ADAPTER.fetch_orders(http, connection, SINCE, cursor)
        bodies, cursor, pages = [*bodies, *page.bodies], page.next_cursor, pages + 1
        if cursor is None:
            return bodies, pages


async def test_orders_are_read_page_by_page_as_their_webhooks_show_them():
    many_refunds = whole_order(4)
    many_refunds["refunds"] = [many_refunds["refunds"][0] | {"id": 880 + each} for each in range(12)]
    many_lines = body(3, line_items=[{**body(3)["line_items"][0], "id": 100 + each} for each in range(9)])
    many_lines["total_line_items_price"] = "540.00"
    orders = [
        whole_order(1),
        body(2, discount_codes=[], total_discounts="0.00"),
        many_lines,
        many_refunds | {"updated_at": body(4)["updated_at"]},
    ]
    orders += [body(number) for number in range(5, PAGE + 3)]
    old = body(900, updated_at="2025-12-31T00:00:00Z")
    # As in the fake that is run by hand: without a time of its change it is in no page.
    of_a_buyer = {"email": "ana@example.com", "customer": {"id": "gid://shopify/Customer/1"}}
    shop = FakeShop(bucket=LARGE, orders=[of_a_buyer, old, *reversed(orders)])
    async with FakeShopify(shop) as fake, aiohttp.ClientSession() as http:
        bodies, pages = await read_all(http, custom_token(fake, shop))
    assert pages == 2
    assert [json.loads(each)["id"] for each in bodies] == [each["id"] for each in orders]
    for raw, order in zip(bodies, orders, strict=True):
        for ours, theirs in zip(events_of(raw), events_of(json.dumps(order).encode()), strict=True):
            assert shown(ours) == shown(theirs)
    names = [each["query"].split("(")[0].split()[-1] for _, each in fake.requests if "query" in each]
    assert names == ["ListOrders", *[ONE_ORDER.name] * 3, "ListOrders"]


async def test_an_order_that_changes_while_pages_are_read_comes_again_and_none_is_left_out():
    shop = FakeShop(orders=[body(number) for number in range(1, PAGE + 6)])
    async with FakeShopify(shop) as fake, aiohttp.ClientSession() as http:
        connection = custom_token(fake, shop)
        first = await ADAPTER.fetch_orders(http, connection, SINCE, None)
        shop.orders[0]["updated_at"] = "2026-02-25T00:00:00Z"
        rest = await ADAPTER.fetch_orders(http, connection, SINCE, first.next_cursor)
    read = [json.loads(each)["id"] for each in (*first.bodies, *rest.bodies)]
    assert read == [*range(1, PAGE + 6), 1]
    assert rest.reached == datetime(2026, 2, 25, tzinfo=UTC)


async def test_an_app_without_customers_data_reads_orders_without_them():
    shop = FakeShop(orders=[body(1)], has_personal_fields=False)
    shop.scopes -= {"read_customers"}
    async with FakeShopify(shop) as fake, aiohttp.ClientSession() as http:
        (raw,) = (await ADAPTER.fetch_orders(http, custom_token(fake, shop), SINCE, None)).bodies
        (paid,) = events_of(raw)
        shop.scopes -= {"read_orders"}
        with pytest.raises(OutsideError, match="denies access"):
            await ADAPTER.fetch_orders(http, custom_token(fake, shop), SINCE, None)
    assert (paid.order_id, paid.total, paid.person.external_id) == ("1", 5895, None)


@pytest.mark.parametrize(
    ("shown", "count", "withheld"),
    [(1, "1", False), (1, "2", True), (2, "2", False), (3, "9", False), (0, "1", False), (None, "2", False)],
)
def test_orders_are_withheld_where_shopify_counts_more_than_it_shows_this_one_among_them(
    shown, count, withheld
):
    orders = None if shown is None else {"nodes": [{"id": str(place)} for place in range(shown)]}
    customer = {"legacyResourceId": "7", "numberOfOrders": count, "orders": orders}
    assert order_body({"customer": customer})["customer"]["orders_withheld"] is withheld


async def test_an_edit_names_its_order_which_is_fetched():
    edit = json.dumps(
        {"order_edit": {"id": 5, "order_id": 1, "line_items": {"additions": [], "removals": []}}}
    )
    delivery = RawDelivery("orders/edited", edit.encode(), NOW)
    needed = ADAPTER.parse(delivery)
    assert needed == NeedsFetch("orders/1")
    assert "orders/edited" in TOPICS
    shop = FakeShop(orders=[whole_order(1)])
    async with FakeShopify(shop) as fake, aiohttp.ClientSession() as http:
        connection = custom_token(fake, shop)
        fetched = await ADAPTER.fetch(http, connection, needed.resource)
        for wrong in ("orders/2", "orders/1/refunds", "customers/1"):
            with pytest.raises(OutsideError) as refused:
                await ADAPTER.fetch(http, connection, wrong)
            assert refused.value.permanent
    parsed = ADAPTER.parse(replace(delivery, fetched=fetched))
    assert parsed == ADAPTER.parse(RawDelivery("orders/updated", fetched, NOW))
    assert isinstance(parsed[0], OrderPaid)
    assert ADAPTER.parse(replace(delivery, fetched=b"")) == []
