"""Connections by API: credentials come in and never go out."""

import dataclasses
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from app.admin.rules import Scope
from app.brands.add import add_brand
from app.brands.rules import Platform
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop
from app.platforms.check_sweep import check_due
from app.platforms.shopify.topics import TOPICS
from tests.support import fake_shopify as failing
from tests.support.constants import NOW
from tests.support.factories.shops import make_shop
from tests.support.fake_shopify import client_credentials

PATH = "/shops/fern/connection"


@pytest.fixture
async def fake() -> AsyncIterator[FakeShopify]:
    remote = FakeShop("fern.myshopify.com", host="fern.example")
    async with FakeShopify(remote) as fake:
        yield fake


@pytest.fixture
def remote(fake: FakeShopify) -> FakeShop:
    return fake.shops["fern.myshopify.com"]


@pytest.fixture
def body(fake: FakeShopify, remote: FakeShop) -> dict[str, object]:
    connection = client_credentials(fake, remote)
    return {"account": connection.account, "credentials": dict(connection.credentials)}


@pytest.fixture
def context(context):
    update = {"local_platforms": True, "public_url": "https://tenfold.example"}
    return dataclasses.replace(context, settings=context.settings.model_copy(update=update))


@pytest.fixture
async def fern(context, brand):
    return await make_shop(context, brand, Platform.shopify)


@pytest.fixture
async def admin(open_client, brand, fern):
    return await open_client(brand, Scope.admin, Scope.pii)


async def test_a_shop_is_connected_shown_and_disconnected(admin, context, fern, fake, remote, body):
    made = await admin.put(PATH, json=body)
    assert made.status_code == 200, made.text
    assert made.json()["checked_at"] is None
    assert await check_due(context, fern.brand_id, now=NOW.replace(year=2100)) == 1
    shown = (await admin.get(PATH)).json()
    assert shown["account"] == body["account"]
    assert shown["credentials"] == ["client_id", "client_secret"]
    assert (shown["webhooks"], shown["problems"]) == (list(TOPICS), [])
    removed = await admin.delete(PATH)
    assert (removed.status_code, removed.json()["problems"]) == (200, [])
    assert remote.webhooks == {}
    assert (await admin.get(PATH)).status_code == 404
    assert (await admin.delete(PATH)).status_code == 404
    actions = [each["action"] for each in (await admin.get("/audit")).json()["data"]]
    assert {"connection_saved", "secret_exchanged", "connection_removed"} <= set(actions)


async def test_no_response_and_no_stored_response_holds_a_credential(admin, context, fake, body):
    responses = [
        await admin.put(PATH, json=body, headers={"Idempotency-Key": "k1"}),
        await admin.put(PATH, json=body, headers={"Idempotency-Key": "k1"}),
        await admin.get(PATH),
        await admin.put(PATH, json={**body, "account": "elsewhere.example"}),
        await admin.put(PATH, json={**body, "more": 1}),
        await admin.put(PATH, json={**body, "credentials": {"client_secret": [fake.app.client_secret]}}),
        await admin.put(PATH, json={**body, "credentials": {"client_secret": fake.app.client_secret * 20}}),
        await admin.put(PATH, json={**body, "credentials": {"client_secret": fake.app.client_secret}}),
        await admin.get("/audit"),
    ]
    assert [each.status_code for each in responses] == [200, 200, 200, 422, 422, 422, 422, 422, 200]
    assert responses[0].json() == responses[1].json()
    assert not any(fake.app.client_secret in each.text for each in responses)
    async with context.sessions() as session:
        stored = await session.scalar(text("SELECT idempotency_keys::text FROM idempotency_keys"))
    assert fake.app.client_secret not in stored


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_repeated_request_gets_the_first_response_and_calls_the_platform_no_more(
    admin, fake, remote, body, method
):
    await admin.put(PATH, json=body)
    json = body if method == "PUT" else None
    first = await admin.request(method, PATH, json=json, headers={"Idempotency-Key": "once"})
    remote.is_installed = False
    calls = len(fake.requests)
    again = await admin.request(method, PATH, json=json, headers={"Idempotency-Key": "once"})
    assert (first.status_code, again.json()) == (200, first.json())
    assert len(fake.requests) == calls
    other = await admin.put(PATH, json={**body, "account": "x"}, headers={"Idempotency-Key": "once"})
    assert other.json()["code"] == "idempotency_key_reused"


async def test_what_the_platform_refuses_is_said_and_not_saved(admin, fake, body):
    refused = await admin.put(
        PATH,
        json={**body, "credentials": {"client_id": fake.app.client_id, "client_secret": "shpss_of_another"}},
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "connection_refused")
    fake.intercept = failing.page(503)
    unreachable = await admin.put(PATH, json=body)
    assert (unreachable.status_code, unreachable.json()["code"]) == (503, "platform_unreachable")
    assert unreachable.headers["Retry-After"] == "60"
    assert (await admin.get(PATH)).status_code == 404


async def test_disconnecting_with_revoked_credentials_says_that_webhooks_stay(
    admin, context, fern, remote, body
):
    await admin.put(PATH, json=body)
    await check_due(context, fern.brand_id, now=NOW.replace(year=2100))
    remote.is_installed = False
    removed = (await admin.delete(PATH)).json()
    assert removed["problems"][0].startswith("The webhooks could not be removed: ")
    assert (await admin.get(PATH)).status_code == 404


async def test_a_checkout_of_ones_own_needs_no_connection(admin, shop, body):
    refused = await admin.put(f"/shops/{shop.slug}/connection", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "not_connectable")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_an_administrator_of_the_brand_may(open_client, context, brand, fern, body, method):
    writer = await open_client(brand, Scope.read, Scope.write, Scope.pii, Scope.checkout)
    json = body if method == "PUT" else None
    assert (await writer.request(method, PATH, json=json)).status_code == 403
    async with context.sessions.begin() as session:
        other = await add_brand(session, "other", name="Other")
    stranger = await open_client(other, Scope.admin)
    assert (await stranger.request(method, PATH, json=json)).status_code == 404
