"""WooCommerce's orders by its API: page by page, none left out while they change."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import aiohttp
import pytest
from aiohttp import web

from app.base.errors import OutsideError
from app.demo.fakes.woocommerce.orders import FakeBuyer, change_order, place_order, refund_order
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeShop
from app.platforms.delivery_types import RawDelivery
from app.platforms.woocommerce.adapter import WooCommerceAdapter
from app.platforms.woocommerce.client import PAGE_SIZE, RESPONSE_LIMIT
from tests.support.constants import NOW
from tests.support.fake_woocommerce import connection_of

ADAPTER = WooCommerceAdapter()
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
BUYER = FakeBuyer("ana@example.com")


async def read_all(http, connection, between=lambda: None) -> list[list[int]]:
    pages, cursor = [], None
    while True:
        page = await ADAPTER.fetch_orders(http, connection, SINCE, cursor)
        pages.append([json.loads(each)["id"] for each in page.bodies])
        between()
        if page.next_cursor is None:
            return pages
        cursor = page.next_cursor


async def test_orders_that_change_while_pages_are_read_push_none_out():
    shop = FakeShop()
    for number in range(1, 2 * PAGE_SIZE + 1):
        place_order(shop, BUYER, Decimal(10), number=number, at=SINCE + timedelta(seconds=number))
    place_order(shop, BUYER, Decimal(10), number=999, at=SINCE - timedelta(seconds=1))
    place_order(shop, BUYER, Decimal(10), number=998, at=SINCE)
    moved = iter([1, 2])

    def change() -> None:
        number = next(moved, None)
        if number is not None:
            change_order(shop, number, "completed", at=SINCE + timedelta(days=number))

    async with FakeWooCommerce(shop) as fake, aiohttp.ClientSession() as http:
        pages = await read_all(http, connection_of(fake, shop), change)
        assert fake.violations == []
    read = [number for page in pages for number in page]
    assert set(read) == {998, *range(1, 2 * PAGE_SIZE + 1)}
    assert read.count(1) == read.count(2) == 2


async def test_a_page_of_one_second_goes_on_by_number():
    shop = FakeShop()
    for number in range(1, 2 * PAGE_SIZE + 11):
        place_order(shop, BUYER, Decimal(10), number=number, at=SINCE + timedelta(seconds=5))
    async with FakeWooCommerce(shop) as fake, aiohttp.ClientSession() as http:
        pages = await read_all(http, connection_of(fake, shop))
        page = await ADAPTER.fetch_orders(http, connection_of(fake, shop), SINCE, None)
    assert {number for each in pages for number in each} == set(range(1, 2 * PAGE_SIZE + 11))
    assert len(pages) <= 4
    assert page.reached == SINCE + timedelta(seconds=5)
    events = ADAPTER.parse(RawDelivery(page.topic, page.bodies[0], NOW))
    assert events == ADAPTER.parse(RawDelivery("order.created", json.dumps(shop.orders[1]).encode(), NOW))


@pytest.mark.parametrize("body", [b" " * RESPONSE_LIMIT + b"[]", None])
async def test_orders_that_are_too_much_for_a_page_are_read_a_few_at_a_time(body):
    shop = FakeShop()
    for number in range(1, 13):
        place_order(shop, BUYER, Decimal(10), number=number, at=SINCE + timedelta(seconds=5))

    async def fail(request: web.Request) -> web.Response | None:
        """Documents of plugins in orders, or a server without the memory for a page."""
        is_whole = request.query["per_page"] == str(PAGE_SIZE)
        return web.Response(body=body, status=200 if body else 500) if is_whole else None

    async with FakeWooCommerce(shop) as fake, aiohttp.ClientSession() as http:
        fake.intercept = fail
        pages = await read_all(http, connection_of(fake, shop))
    assert [number for page in pages for number in page] == [*range(1, 11), *range(1, 13)]


async def test_of_refunds_their_times_and_parts_for_shipping_are_fetched_and_no_names():
    shop = FakeShop()
    place_order(shop, BUYER, Decimal(10), number=7, at=SINCE)
    refund_order(shop, 7, Decimal(5), shipping=Decimal(2), at=SINCE + timedelta(days=1))
    (refund,) = shop.refunds[7]

    async def be_odd(request: web.Request) -> web.Response:
        return web.json_response([refund | {"shipping_lines": lines} for lines in (None, ["a line"])])

    async with FakeWooCommerce(shop) as fake, aiohttp.ClientSession() as http:
        connection = connection_of(fake, shop)
        fetched = json.loads(await ADAPTER.fetch(http, connection, "orders/7/refunds"))
        for wrong in ("orders/7/notes", "orders/7/refunds/1", "../orders/7/refunds", "coupons/1"):
            with pytest.raises(OutsideError) as refused:
                await ADAPTER.fetch(http, connection, wrong)
            assert refused.value.permanent
        fake.intercept = be_odd
        odd = json.loads(await ADAPTER.fetch(http, connection, "orders/7/refunds"))
    (found,) = fetched["refunds"]
    assert found == {
        "id": refund["id"],
        "date_created_gmt": "2026-01-02T00:00:00",
        "shipping_lines": [{"total": "-2.00", "total_tax": "0.00"}],
    }
    assert [each["shipping_lines"] for each in odd["refunds"]] == [[], []]
