"""The fake of Shopify does what Shopify does: scopes, protected data, discounts, jobs, webhooks."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from graphql import OperationDefinitionNode, parse, print_ast

from app.base.http import open_session
from app.demo.fakes.shopify.execute import RESOLVERS, executable_schema, run_document
from app.demo.fakes.shopify.schema import COVERED
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop
from app.platforms.connection_types import Connection
from app.platforms.shopify.access_tokens import AccessTokens
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.documents import CREATE_WEBHOOK, PERSONAL_DATA, SHOP_FACTS
from app.platforms.shopify.verify import verify
from tests.support.constants import PROJECT

OPERATIONS = {
    each.name.value: print_ast(each)
    for each in parse(COVERED.read_text()).definitions
    if isinstance(each, OperationDefinitionNode) and each.name
}
TEN_PERCENT: dict[str, Any] = {
    "title": "Friends",
    "code": "FRIENDS",
    "startsAt": "2026-01-01T00:00:00Z",
    "context": {"all": "ALL"},
    "customerGets": {"items": {"all": True}, "value": {"percentage": 0.1}},
    "minimumRequirement": {"subtotal": {"greaterThanOrEqualToSubtotal": "20.00"}},
    "combinesWith": {"shippingDiscounts": True},
    "usageLimit": 1,
}


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop(usage_lag_seconds=0.2)


def run(shop: FakeShop, name: str, **variables: Any) -> dict[str, Any]:
    body = run_document(shop, OPERATIONS[name], variables)
    assert "errors" not in body, body
    (result,) = body["data"].values()
    return result


def made(shop: FakeShop, **changed: Any) -> str:
    result = run(shop, "CreateDiscount", discount={**TEN_PERCENT, **changed})
    assert result["userErrors"] == []
    return result["codeDiscountNode"]["id"]


def refusals(result: dict[str, Any]) -> list[str]:
    return [each["code"] for each in result["userErrors"]]


def test_every_field_of_the_roots_has_a_resolver():
    roots = ("QueryRoot", "Mutation")
    fields = {f"{root}.{name}" for root in roots for name in executable_schema().type_map[root].fields}
    assert fields == RESOLVERS.keys()


def test_a_discount_is_kept_as_it_was_given(shop):
    discount = run(shop, "Discount", id=made(shop))["discount"]
    assert discount["status"] == "ACTIVE"
    assert discount["customerGets"]["value"] == {"percentage": 0.1}
    assert discount["minimumRequirement"]["greaterThanOrEqualToSubtotal"] == {
        "amount": "20.00",
        "currencyCode": "EUR",
    }
    assert [each["code"] for each in discount["codes"]["nodes"]] == ["FRIENDS"]
    assert discount["combinesWith"]["shippingDiscounts"] is True


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"code": ""}, "BLANK"),
        ({"title": None}, "BLANK"),
        ({"endsAt": "2025-01-01T00:00:00Z"}, "END_DATE_BEFORE_START_DATE"),
        ({"customerGets": {"items": {"all": True}, "value": {"percentage": 10.0}}}, "VALUE_OUTSIDE_RANGE"),
        ({"usageLimit": 0}, "GREATER_THAN"),
    ],
)
def test_a_discount_that_cannot_be_is_refused(shop, changed, code):
    assert refusals(run(shop, "CreateDiscount", discount={**TEN_PERCENT, **changed})) == [code]
    assert shop.discounts == {}


def test_a_code_is_taken_in_any_case(shop):
    made(shop)
    assert refusals(run(shop, "CreateDiscount", discount={**TEN_PERCENT, "code": "friends"})) == ["TAKEN"]


def test_codes_work_once_their_job_is_done_and_taken_ones_fail(shop):
    discount_id = made(shop)
    creation = run(
        shop, "AddCodes", id=discount_id, codes=[{"code": "ANA"}, {"code": "Friends"}, {"code": "ana"}]
    )
    creation_id = creation["bulkCreation"]["id"]
    assert run(shop, "BulkCreation", id=creation_id)["done"] is False
    assert shop.find_code("ANA") is None
    done = run(shop, "BulkCreation", id=creation_id)
    assert (done["done"], done["codesCount"], done["importedCount"], done["failedCount"]) == (True, 3, 1, 2)
    errors = {each["code"]: [one["code"] for one in each["errors"]] for each in done["codes"]["nodes"]}
    assert errors == {"ANA": [], "Friends": ["TAKEN"], "ana": ["TAKEN"]}
    assert run(shop, "DiscountByCode", code="ana")["id"] == discount_id
    assert run(shop, "CodesCount") == {"count": 2, "precision": "EXACT"}


def test_more_than_250_codes_a_call_are_refused(shop):
    codes = [{"code": f"C{n}"} for n in range(251)]
    body = run_document(shop, OPERATIONS["AddCodes"], {"id": made(shop), "codes": codes})
    assert body["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


async def test_uses_are_counted_late(shop):
    discount_id = made(shop)
    assert shop.use_code("friends")
    assert run(shop, "Discount", id=discount_id)["discount"]["asyncUsageCount"] == 0
    await asyncio.sleep(0.25)
    assert run(shop, "Discount", id=discount_id)["discount"]["asyncUsageCount"] == 1


def test_discounts_end_at_once_or_by_a_job(shop):
    first, second, third = made(shop), made(shop, code="B"), made(shop, code="C")
    run(shop, "DeactivateDiscount", id=first)
    assert run(shop, "Discount", id=first)["discount"]["status"] == "EXPIRED"
    assert not shop.use_code("FRIENDS")
    assert run(shop, "DeleteDiscount", id=first)["deletedCodeDiscountId"] == first
    assert refusals(run(shop, "DeleteDiscount", id=first)) == ["INVALID"]
    job = run(shop, "DeleteDiscounts", ids=[second, third])["job"]
    assert [run(shop, "JobDone", id=job["id"])["done"] for _ in range(2)] == [False, True]
    assert shop.discounts == {}


def test_single_codes_are_deleted_by_a_job(shop):
    discount_id = made(shop)
    (code,) = run(shop, "Discount", id=discount_id)["discount"]["codes"]["nodes"]
    job = run(shop, "DeleteCodes", id=discount_id, ids=[code["id"]])["job"]
    for _ in range(2):
        run(shop, "JobDone", id=job["id"])
    assert shop.find_code("FRIENDS") is None
    assert discount_id in shop.discounts


def test_an_update_keeps_what_it_leaves_out(shop):
    discount_id = made(shop)
    result = run(shop, "UpdateDiscount", id=discount_id, discount={"endsAt": "2026-02-01T00:00:00Z"})
    assert result["userErrors"] == []
    discount = run(shop, "Discount", id=discount_id)["discount"]
    assert (discount["title"], discount["status"]) == ("Friends", "EXPIRED")


def denials(body: dict[str, Any]) -> Iterator[str]:
    for each in body.get("errors", []):
        assert each["extensions"]["code"] == "ACCESS_DENIED"
        yield each["message"]


def test_a_field_needs_the_scope_that_shopify_says(shop):
    shop.scopes = frozenset({"read_orders"})
    body = run_document(shop, OPERATIONS["CreateDiscount"], {"discount": TEN_PERCENT})
    (message,) = denials(body)
    assert "`write_discounts`" in message
    assert body["data"] == {"discountCodeBasicCreate": None}
    assert run_document(shop, SHOP_FACTS.text, {})["data"]["currentAppInstallation"]["accessScopes"] == [
        {"handle": "read_orders"}
    ]


def test_writing_includes_reading(shop):
    shop.scopes = frozenset({"write_discounts"})
    assert run(shop, "Discount", id=made(shop))["discount"]["title"] == "Friends"


def test_personal_data_are_refused_to_an_app_that_may_not_use_them(shop):
    shop.orders.append({"email": "ana@example.com", "customer": {"id": "gid://shopify/Customer/1"}})
    shop.has_personal_fields = False
    body = run_document(shop, PERSONAL_DATA.text, {})
    (order,) = body["data"]["orders"]["nodes"]
    assert order["email"] is None
    assert {each["path"][-1] for each in body["errors"]} == {"email", "phone"}
    shop.has_protected_data = False
    body = run_document(shop, PERSONAL_DATA.text, {})
    assert body["data"] is None
    assert "not approved to access the Order object" in next(denials(body))


@asynccontextmanager
async def receiver(status: int) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A webhook endpoint that keeps its requests."""
    got: list[web.Request] = []

    async def receive(request: web.Request) -> web.Response:
        await request.read()
        got.append(request)
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", got
    await runner.cleanup()


def subscribe(shop: FakeShop, uri: str, topic: str = "ORDERS_PAID") -> list[str]:
    body = run_document(shop, CREATE_WEBHOOK.text, {"topic": topic, "uri": uri})
    return [each["message"] for each in body["data"]["webhookSubscriptionCreate"]["userErrors"]]


async def test_an_event_is_delivered_signed_to_those_who_subscribed_to_it(shop):
    async with FakeShopify(shop) as fake, receiver(200) as (uri, got):
        assert subscribe(shop, uri) == []
        assert await fake.deliver(shop, "orders/updated", {"id": 1}) == 0
        assert await fake.deliver(shop, "orders/paid", {"id": 1, "email": "a@b.example"}, times=2) == 1
        first, second = got
        raw = await first.read()
        assert verify(first.headers, raw, [fake.app.client_secret]) == verify(
            second.headers, await second.read(), [fake.app.client_secret]
        )
        shop.has_personal_fields = False
        await fake.deliver(shop, "orders/paid", {"id": 1, "email": "a@b.example"})
        assert await got[-1].json() == {"id": 1, "email": None}


async def test_a_subscription_whose_deliveries_fail_is_dropped(shop):
    async with FakeShopify(shop) as fake, receiver(500) as (uri, got):
        subscribe(shop, uri)
        assert await fake.deliver(shop, "orders/paid", {"id": 1}) == 0
        assert len(got) == 9
        assert shop.webhooks == {}


async def test_the_fake_runs_in_a_process_of_its_own():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.demo.fakes.shopify", cwd=PROJECT, stdout=asyncio.subprocess.PIPE
    )
    try:
        printed = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        async with open_session(connections=1, total_seconds=10, loopback=True) as http:
            client = ShopifyClient(http, Connection(**printed), access_tokens=AccessTokens())
            assert (await client.run(SHOP_FACTS))["shop"]["myshopifyDomain"] == "acme.myshopify.com"
    finally:
        process.kill()
        await process.wait()


def test_subscriptions_are_refused_as_shopify_does(shop):
    uri = "https://tenfold.example/hook"
    assert subscribe(shop, uri) == []
    assert subscribe(shop, uri) == ["Address for this topic has already been taken"]
    assert subscribe(shop, "ftp://tenfold.example") == ["Address is not a valid URI"]
    shop.scopes = frozenset({"read_orders"})
    assert subscribe(shop, uri, "DISPUTES_CREATE") == [
        "You cannot create a webhook subscription with the specified topic"
    ]
    shop.has_protected_data = False
    assert "protected customer data" in subscribe(shop, uri, "ORDERS_EDITED")[0]
