"""Shops are connected to Shopify, checked each night, and what is missing is told in words."""

import asyncio
import dataclasses
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from sqlalchemy import select, text

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.due import run_until_idle
from app.base.errors import AppError
from app.base.fence import raise_fence
from app.brands.add import add_shop
from app.brands.models import Shop
from app.brands.rules import Platform
from app.demo.fakes.shopify.schema import load_schema
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop, FakeWebhook, new_gid
from app.platforms import check as checks
from app.platforms.check import check_all, check_shop, load_targets, run_checks, write_results
from app.platforms.check_sweep import check_due, sweep
from app.platforms.connect import connect_shop, remove_webhooks, try_connection
from app.platforms.connection_types import Connection, ConnectionReport
from app.platforms.connections import load_connections, remove_connection
from app.platforms.models import ShopConnection
from app.platforms.rules import next_check
from app.platforms.shopify.order import ORDER_TOPICS
from app.platforms.shopify.parse import _READERS, EDITED
from app.platforms.shopify.topics import PRIVACY_TOPICS, TOPICS, enum_of
from tests.support import fake_shopify as failing
from tests.support.constants import NOW
from tests.support.factories.shops import make_shop
from tests.support.fake_shopify import client_credentials, custom_token

HOOK = "https://tenfold.example/hooks/fern/shopify"


@pytest.fixture
def context(context: AppContext) -> AppContext:
    settings = context.settings.model_copy(
        update={"local_platforms": True, "public_url": "https://tenfold.example"}
    )
    return dataclasses.replace(context, settings=settings)


@pytest.fixture
async def fern(context: AppContext, brand) -> Shop:
    """Our shop, which sells at Shopify."""
    return await make_shop(context, brand, Platform.shopify, url="https://www.fern.example")


@pytest.fixture
def remote() -> FakeShop:
    """The shop at Shopify."""
    shop = FakeShop("fern.myshopify.com", name="Fern", host="fern.example")
    shop.orders.append({"email": "ana@example.com", "customer": {"id": new_gid("Customer")}})
    return shop


@pytest.fixture
async def fake(remote: FakeShop) -> AsyncIterator[FakeShopify]:
    async with FakeShopify(remote) as fake:
        yield fake


async def connect(context: AppContext, shop: Shop, connection: Connection, now: datetime = NOW) -> None:
    tried = await try_connection(context.settings, shop, connection.account, connection.credentials)
    async with context.sessions.begin() as session:
        await connect_shop(session, context.tokens, shop, tried, actor=cli_actor(shop.brand_id), now=now)


async def check(context: AppContext, shop: Shop, now: datetime = NOW) -> ConnectionReport:
    return await check_shop(context, shop.brand_id, shop.id, now=now)


async def row_of(context: AppContext, shop: Shop):
    async with context.sessions() as session:
        return await session.get(ShopConnection, (shop.brand_id, shop.id))


def registered(remote: FakeShop) -> Counter[str]:
    return Counter(each.topic for each in remote.webhooks.values() if each.uri == HOOK)


EVERY_TOPIC = Counter(enum_of(topic) for topic in TOPICS)


async def test_connecting_registers_every_topic_that_we_use(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    assert remote.webhooks == {}
    assert await check_due(context, fern.brand_id, now=NOW) == 1
    row = await row_of(context, fern)
    assert registered(remote) == EVERY_TOPIC
    assert (row.checked_at, row.problems, row.webhooks) == (NOW, [], list(TOPICS))
    assert any("privacy webhooks" in each and HOOK in each for each in row.notes)
    assert await check_due(context, fern.brand_id, now=NOW) == 0


async def test_the_webhooks_secret_becomes_the_apps_and_the_one_before_stays(context, fern, fake, remote):
    (before,) = [context.tokens.open(each) for each in fern.sealed_secrets]
    await connect(context, fern, client_credentials(fake, remote))
    async with context.sessions() as session:
        sealed = await session.scalar(select(Shop.sealed_secrets).where(Shop.id == fern.id))
    assert [context.tokens.open(each) for each in sealed] == [fake.app.client_secret, before]


async def test_a_repeated_check_changes_nothing(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    first = await check(context, fern)
    ids = set(remote.webhooks)
    second = await check(context, fern)
    assert set(remote.webhooks) == ids
    assert any(each.startswith("Registered now") for each in first.notes)
    assert second.problems == ()
    assert not any(each.startswith("Registered now") for each in second.notes)


async def test_webhooks_that_were_dropped_are_registered_again_in_the_night(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    await check(context, fern)
    dropped = next(iter(remote.webhooks))
    remote.webhooks.pop(dropped)
    due_at = (await row_of(context, fern)).check_due_at
    assert NOW < due_at <= NOW + timedelta(days=1)
    assert 3 <= due_at.astimezone(ZoneInfo("Europe/Berlin")).hour < 5
    await run_until_idle([sweep(context)], due_at - timedelta(seconds=1))
    assert len(remote.webhooks) == len(TOPICS) - 1
    assert (await run_until_idle([sweep(context)], due_at)) == {"connections": 1}
    assert registered(remote) == EVERY_TOPIC


async def test_a_check_that_breaks_off_half_way_is_completed_by_the_next(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    left = iter(range(5))

    async def after_five(request: web.Request) -> web.StreamResponse | None:
        is_create = " CreateWebhook" in await request.text()
        return web.Response(status=503) if is_create and next(left, None) is None else None

    fake.intercept = after_five
    report = await check(context, fern)
    assert report.problems == ("Shopify is out of order (status 503).",)
    assert len(remote.webhooks) == 5
    row = await row_of(context, fern)
    assert row.check_due_at <= NOW + timedelta(hours=1)
    fake.intercept = None
    assert (await check(context, fern)).problems == ()
    assert registered(remote) == EVERY_TOPIC


async def test_checks_at_the_same_time_register_each_topic_once(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    reports = await asyncio.gather(*(check(context, fern) for _ in range(4)))
    assert registered(remote) == EVERY_TOPIC
    assert {each.problems for each in reports} == {()}


async def test_a_process_that_dies_within_a_check_leaves_it_to_another(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    fake.intercept = hang = failing.Hang()
    task = asyncio.create_task(check_due(context, fern.brand_id, now=NOW))
    await hang.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hang.released.set()
    fake.intercept = None
    assert await check_due(context, fern.brand_id, now=NOW) == 0
    assert await check_due(context, fern.brand_id, now=NOW + checks.LEASE) == 1
    assert registered(remote) == EVERY_TOPIC


async def test_lacking_scopes_are_named_with_what_they_cost_and_where_to_add_them(
    context, fern, fake, remote
):
    remote.scopes = frozenset({"read_orders", "write_discounts"})
    await connect(context, fern, client_credentials(fake, remote))
    (problem,) = (await check(context, fern)).problems
    assert "read_customers (changed addresses and consents do not arrive)" in problem
    assert "read_fulfillments" in problem
    assert "Dev Dashboard" in problem
    assert "read_orders" not in problem
    assert set(registered(remote)) == {
        enum_of(topic) for topic, scope in TOPICS.items() if scope == "read_orders"
    }
    assert any("read_shopify_payments_disputes" in each for each in (await check(context, fern)).notes)
    remote.scopes = FakeShop().scopes
    assert (await check(context, fern)).problems == ()
    assert registered(remote) == EVERY_TOPIC


async def test_a_custom_apps_scopes_are_added_in_the_shops_admin(context, fern, fake, remote):
    remote.scopes = frozenset({"read_orders"})
    await connect(context, fern, custom_token(fake, remote))
    report = await check(context, fern)
    assert "Develop apps" in report.problems[0]
    assert any("tenfold shop secret" in each for each in report.notes)


async def test_protected_customer_data_that_are_not_granted_are_told(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    remote.has_protected_data = False
    problems = (await check(context, fern)).problems
    assert any("Protected customer data access" in each for each in problems)
    assert any("Shopify refuses the webhooks" in each and "orders/paid" in each for each in problems)
    assert set(registered(remote)) == {"DISPUTES_CREATE", "DISPUTES_UPDATE"}
    remote.has_protected_data, remote.has_personal_fields = True, False
    (problem,) = (await check(context, fern)).problems
    assert "hides email and phone" in problem


async def test_a_shop_without_orders_says_that_personal_data_could_not_be_checked(
    context, fern, fake, remote
):
    remote.orders.clear()
    await connect(context, fern, client_credentials(fake, remote))
    assert any("no order yet" in each for each in (await check(context, fern)).notes)


async def test_another_currency_is_a_problem_and_another_zone_or_address_a_note(context, fern, fake, remote):
    remote.currency, remote.time_zone, remote.host = "USD", "America/New_York", "other.example"
    await connect(context, fern, client_credentials(fake, remote))
    report = await check(context, fern)
    (problem,) = report.problems
    assert "USD at Shopify and EUR here" in problem
    assert any("America/New_York" in each for each in report.notes)
    assert any("other.example at Shopify and fern.example here" in each for each in report.notes)
    for body in ('{"url": "https://other.example"}', '{"time_zone": "America/New_York"}'):
        assert any(f"PATCH /api/v1/shops/fern with {body}" in each for each in report.notes)


async def test_a_version_of_the_api_that_has_ended_is_noted(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    assert not any("serves its version" in each for each in (await check(context, fern)).notes)
    fake.served_version = "2026-10"
    notes = (await check(context, fern)).notes
    assert any("serves its version 2026-10 to Tenfold, which was made for 2026-07" in each for each in notes)


async def test_credentials_of_another_shop_are_refused(context, fern, fake, remote):
    fake.shops["acme.myshopify.com"] = remote
    connection = client_credentials(fake, remote)
    wrong = Connection(f"{fake.url}/acme.myshopify.com", connection.credentials)
    with pytest.raises(AppError) as refused:
        await connect(context, fern, wrong)
    assert refused.value.code == "connection_refused"
    assert "belong to the shop fern.myshopify.com, not to acme.myshopify.com" in refused.value.detail
    assert await row_of(context, fern) is None


@pytest.mark.parametrize(
    ("intercept", "code"),
    [
        (failing.page(), "platform_unreachable"),
        (failing.page(503), "platform_unreachable"),
        (failing.page(402), "connection_refused"),
        (failing.redirect(), "connection_refused"),
        (failing.always(lambda: web.json_response({"data": {"shop": None}})), "platform_unreachable"),
        (failing.always(lambda: web.json_response({"data": None})), "platform_unreachable"),
        (failing.always(lambda: web.json_response([1])), "platform_unreachable"),
    ],
)
async def test_a_platform_that_does_not_respond_as_it_must_saves_nothing(
    context, fern, fake, remote, intercept, code
):
    fake.intercept = intercept
    with pytest.raises(AppError) as refused:
        await connect(context, fern, client_credentials(fake, remote))
    assert refused.value.code == code
    assert await row_of(context, fern) is None


async def test_a_revoked_token_is_told_in_the_night_and_mended_by_connecting_again(
    context, fern, fake, remote
):
    await connect(context, fern, custom_token(fake, remote))
    await check(context, fern)
    remote.tokens.clear()
    (problem,) = (await check(context, fern)).problems
    assert "revoked" in problem
    row = await row_of(context, fern)
    assert (row.problems, row.webhooks) == ([problem], [])
    await connect(context, fern, custom_token(fake, remote))
    assert (await row_of(context, fern)).problems == []
    assert (await check(context, fern)).problems == ()


async def test_a_client_secret_that_was_exchanged_is_told_though_a_token_is_still_valid(
    context, fern, fake, remote
):
    await connect(context, fern, client_credentials(fake, remote))
    assert (await check(context, fern)).problems == ()
    fake.app.client_secret = "shpss_exchanged_in_the_dev_dashboard"
    (problem,) = (await check(context, fern)).problems
    assert "does not accept this client id with this client secret" in problem


async def test_an_hour_of_throttling_is_checked_again_within_the_hour(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    await check(context, fern)
    remote.bucket.available, remote.bucket.rate = 0.0, 0.01
    (problem,) = (await check(context, fern)).problems
    assert "limit on calls" in problem
    row = await row_of(context, fern)
    assert row.check_due_at == NOW + timedelta(hours=1)
    assert row.webhooks == list(TOPICS)


async def test_an_address_without_https_is_told_before_shopify_refuses_it(context, fern, fake, remote):
    settings = context.settings.model_copy(update={"public_url": "http://tenfold.example"})
    plain = dataclasses.replace(context, settings=settings)
    await connect(plain, fern, client_credentials(fake, remote))
    (problem,) = (await check(plain, fern)).problems
    assert "TENFOLD_PUBLIC_URL" in problem
    assert remote.webhooks == {}


async def test_a_webhook_that_leads_elsewhere_is_left_and_told(context, fern, fake, remote):
    other = FakeWebhook(
        new_gid("WebhookSubscription"), "ORDERS_PAID", "https://former.example/hooks/fern/shopify"
    )
    remote.webhooks[other.id] = other
    await connect(context, fern, client_credentials(fake, remote))
    report = await check(context, fern)
    assert any("former.example" in each for each in report.notes)
    assert registered(remote) == EVERY_TOPIC
    assert other.id in remote.webhooks


async def test_all_pages_of_webhooks_are_read(context, fern, fake, remote):
    for number in range(230):
        other = FakeWebhook(new_gid("WebhookSubscription"), "SHOP_UPDATE", f"https://other.example/{number}")
        remote.webhooks[other.id] = other
    await connect(context, fern, client_credentials(fake, remote))
    await check(context, fern)
    assert (await check(context, fern)).webhooks == tuple(TOPICS)
    assert registered(remote) == EVERY_TOPIC


async def test_a_fenced_copy_of_the_database_registers_and_removes_nothing(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    async with context.sessions.begin() as session:
        await raise_fence(session, "a copy")
    await check_due(context, fern.brand_id, now=NOW)
    assert remote.webhooks == {}
    (problem,) = (await check(context, fern)).problems
    assert "16 of 16 webhooks are not registered" in problem
    remote.webhooks["a"] = FakeWebhook("a", "ORDERS_PAID", HOOK)
    assert await remove_webhooks(context, fern) is None
    assert "a" in remote.webhooks


async def test_disconnecting_removes_our_webhooks_alone(context, fern, fake, remote):
    other = FakeWebhook("other", "ORDERS_PAID", "https://other.example/")
    await connect(context, fern, client_credentials(fake, remote))
    await check(context, fern)
    remote.webhooks["other"] = other
    assert await remove_webhooks(context, fern) is None
    assert remote.webhooks == {"other": other}


async def test_revoked_credentials_do_not_keep_a_connection(context, fern, fake, remote):
    await connect(context, fern, custom_token(fake, remote))
    remote.tokens.clear()
    assert "revoked" in (await remove_webhooks(context, fern) or "")
    async with context.sessions.begin() as session:
        assert await remove_connection(session, fern.brand_id, fern.id, actor=cli_actor(fern.brand_id))
    with pytest.raises(AppError) as missing:
        await check(context, fern)
    assert missing.value.code == "not_connected"


async def test_a_check_of_former_credentials_does_not_overwrite_the_new_connection(
    context, fern, fake, remote
):
    await connect(context, fern, custom_token(fake, remote))
    async with context.sessions() as session:
        targets = await load_targets(session, context.settings, context.tokens, fern.brand_id, [fern.id])
    remote.tokens.clear()
    late = await run_checks(context.settings, targets, register=True)
    later = NOW + timedelta(minutes=1)
    await connect(context, fern, custom_token(fake, remote), later)
    async with context.sessions.begin() as session:
        await write_results(session, late, now=later)
    row = await row_of(context, fern)
    assert (row.problems, row.checked_at, row.check_due_at) == ([], None, later)


async def test_one_account_is_one_shop_of_the_brand(context, fern, fake, remote, brand):
    async with context.sessions.begin() as session:
        second, _ = await add_shop(
            session,
            context.tokens,
            brand,
            "fern-two",
            name="Fern",
            actor=cli_actor(brand.id),
            platform=Platform.shopify,
        )
    await connect(context, fern, client_credentials(fake, remote))
    with pytest.raises(AppError) as taken:
        await connect(context, second, client_credentials(fake, remote))
    assert (taken.value.code, taken.value.status) == ("account_taken", 409)
    async with context.sessions() as session:
        found = await load_connections(session, context.tokens, brand.id, [fern.id, second.id])
    assert set(found) == {fern.id}


async def test_all_connections_are_checked_without_a_change(context, fern, fake, remote):
    await connect(context, fern, client_credentials(fake, remote))
    (result,) = await check_all(context)
    assert result.target.shop.slug == "fern"
    assert "tenfold shop check fern" in result.report.problems[0]
    assert remote.webhooks == {}


async def test_no_credential_is_logged_or_stored_in_plain_text(context, fern, fake, remote, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    secrets = [fake.app.client_secret, custom_token(fake, remote).credentials["access_token"]]
    await connect(
        context,
        fern,
        Connection(fake.account(remote), {"access_token": secrets[1], "client_secret": secrets[0]}),
    )
    await check(context, fern)
    fake.intercept = failing.page(503)
    await check(context, fern)
    fake.intercept = None
    remote.tokens.clear()
    await check(context, fern)
    async with context.sessions() as session:
        for table in ("shop_connections", "audit_values", "audit_entries", "shops", "domain_events"):
            rows = (await session.scalars(text(f"SELECT {table}::text FROM {table}"))).all()
            assert not any(secret in row for secret in secrets for row in rows), table
        assert (
            await session.scalar(text("SELECT count(*) FROM audit_entries WHERE action = 'connection_saved'"))
            == 1
        )
    printed = caplog.text + "".join(capfd.readouterr())
    assert not any(secret in printed for secret in secrets)


def test_the_topics_are_those_that_are_parsed():
    assert {*TOPICS, *PRIVACY_TOPICS} == {*ORDER_TOPICS, EDITED, *_READERS}


def test_each_topic_names_a_scope_that_shopify_requires_for_it():
    values = load_schema().type_map["WebhookSubscriptionTopic"].ast_node.values
    access = {
        each.name.value: [one.value for one in each.directives[0].arguments[0].value.values]
        for each in values
        if each.directives
    }
    for topic, scope in TOPICS.items():
        assert scope in access[enum_of(topic)], topic
    assert not any(enum_of(topic) in {each.name.value for each in values} for topic in PRIVACY_TOPICS)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland", "America/New_York"])
def test_the_next_check_is_in_the_coming_night_of_the_shop(zone: str):
    shop_id = UUID(int=5_000)
    for hour in range(48):
        now = datetime(2026, 10, 24, tzinfo=UTC) + timedelta(hours=hour)
        due = next_check(shop_id, ZoneInfo(zone), after=now)
        assert timedelta(0) < due - now <= timedelta(hours=25)
        local = due.astimezone(ZoneInfo(zone))
        assert (local.hour, local.minute, local.second) == (4, 23, 20)
