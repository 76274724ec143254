"""Shops are connected to WooCommerce, checked each night, and what is missing is told in words."""

import asyncio
import dataclasses
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from sqlalchemy import text

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.base.errors import AppError, OutsideError
from app.base.fence import raise_fence
from app.base.http import open_session
from app.brands.add import exchange_secret
from app.brands.change import change_brand
from app.brands.models import Shop
from app.brands.programme import Channel
from app.brands.rules import Platform
from app.demo.fakes.woocommerce.schema import violations
from app.demo.fakes.woocommerce.server import FakeWooCommerce
from app.demo.fakes.woocommerce.state import FakeKey, FakeShop, FakeWebhook
from app.demo.fakes.woocommerce.webhooks import show_webhook
from app.platforms.check import check_all, check_shop
from app.platforms.connect import connect_shop, remove_webhooks, try_connection
from app.platforms.connection_types import ConnectedShop, Connection, ConnectionReport
from app.platforms.models import ShopConnection
from app.platforms.woocommerce.accounts import parse_account, url_of_account
from app.platforms.woocommerce.connect import check as check_connection
from app.platforms.woocommerce.connect import make_connection
from app.platforms.woocommerce.parse import _CUSTOMERS, _ORDERS
from app.platforms.woocommerce.responses import read_body
from app.platforms.woocommerce.webhooks import TOPICS
from tests.support import fake_woocommerce as failing
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.shops import make_shop
from tests.support.fake_shopify import Hang
from tests.support.fake_woocommerce import connection_of

HOOK = "https://tenfold.example/hooks/fern/woocommerce"
SECRET = "a secret of <the> shop's own"
EVERY_TOPIC = Counter(TOPICS)


@pytest.fixture
def context(context: AppContext) -> AppContext:
    update = {"local_platforms": True, "public_url": "https://tenfold.example"}
    return dataclasses.replace(context, settings=context.settings.model_copy(update=update))


@pytest.fixture
async def fern(context: AppContext, brand) -> Shop:
    """Our shop, which sells by WooCommerce."""
    return await make_shop(
        context,
        brand,
        Platform.woocommerce,
        webhook_secret=SECRET,
        url="https://www.fern.example",
        platform_settings={"consent_meta_key": "_newsletter"},
    )


@pytest.fixture
def remote() -> FakeShop:
    """The shop's WordPress."""
    return FakeShop("fern", name="Fern", url="https://fern.example/shop")


@pytest.fixture
async def fake(remote: FakeShop, monkeypatch) -> AsyncIterator[FakeWooCommerce]:
    async def no_ping(shop: FakeShop, webhook: FakeWebhook) -> None:
        """The address of these tests does not exist; the story pings a real one."""

    monkeypatch.setattr("app.demo.fakes.woocommerce.server.ping", no_ping)
    async with FakeWooCommerce(remote) as fake:
        yield fake
        assert fake.violations == []


async def connect(context: AppContext, shop: Shop, connection: Connection) -> None:
    tried = await try_connection(context.settings, shop, connection.account, connection.credentials)
    async with context.sessions.begin() as session:
        await connect_shop(session, context.tokens, shop, tried, actor=cli_actor(shop.brand_id), now=NOW)


async def check(context: AppContext, shop: Shop) -> ConnectionReport:
    return await check_shop(context, shop.brand_id, shop.id, now=NOW)


def registered(remote: FakeShop) -> Counter[str]:
    return Counter(each.topic for each in remote.webhooks.values() if each.delivery_url == HOOK)


async def test_connecting_registers_each_topic_once_with_the_shops_secret(context, fern, fake, remote):
    await connect(context, fern, connection_of(fake, remote))
    assert remote.webhooks == {}
    first = await check(context, fern)
    assert (first.problems, first.webhooks) == ((), TOPICS)
    assert any(each.startswith("Registered now") for each in first.notes)
    assert registered(remote) == EVERY_TOPIC
    assert {each.secret for each in remote.webhooks.values()} == {SECRET}
    assert violations("webhook", show_webhook(remote, next(iter(remote.webhooks.values())))) == []
    ids = set(remote.webhooks)
    again = await check(context, fern)
    assert (again.problems, again.notes, set(remote.webhooks)) == ((), (), ids)


async def test_a_secret_that_was_exchanged_is_given_to_the_webhooks_by_the_next_check(
    context, fern, fake, remote
):
    await connect(context, fern, connection_of(fake, remote))
    await check(context, fern)
    async with context.sessions.begin() as session:
        await exchange_secret(
            session,
            context.tokens,
            fern,
            actor=cli_actor(fern.brand_id),
            webhook_secret="another secret of it",
        )
    await check(context, fern)
    assert {each.secret for each in remote.webhooks.values()} == {"another secret of it"}
    assert registered(remote) == EVERY_TOPIC


async def test_dropped_and_disabled_webhooks_are_mended_and_others_are_left(context, fern, fake, remote):
    await connect(context, fern, connection_of(fake, remote))
    await check(context, fern)
    by_topic = {each.topic: each for each in remote.webhooks.values()}
    remote.webhooks.pop(by_topic["order.restored"].id)
    by_topic["order.updated"].status = "disabled"
    by_topic["customer.updated"].status = "paused"
    own = FakeWebhook(1, "Erase", "customer.deleted", HOOK, "theirs")
    other = FakeWebhook(2, "Other", "order.updated", "https://erp.example/", "theirs", status="paused")
    remote.webhooks |= {1: own, 2: other}
    report = await check(context, fern)
    assert (report.problems, report.webhooks) == ((), TOPICS)
    assert any("Active again: order.updated, customer.updated." in each for each in report.notes)
    assert registered(remote) == EVERY_TOPIC + Counter(["customer.deleted"])
    assert (own.secret, other.status) == ("theirs", "paused")
    assert await remove_webhooks(context, fern) is None
    assert remote.webhooks == {2: other}


async def test_checks_at_the_same_time_leave_each_topic_once(context, fern, fake, remote):
    await connect(context, fern, connection_of(fake, remote))
    fake.seconds = 0.01
    await asyncio.gather(*(check(context, fern) for _ in range(4)))
    assert registered(remote) == EVERY_TOPIC
    assert (await check(context, fern)).problems == ()


async def test_a_check_that_breaks_off_half_way_is_completed_by_the_next(context, fern, fake, remote):
    await connect(context, fern, connection_of(fake, remote))
    left = iter(range(2))

    async def after_two(request: web.Request) -> web.StreamResponse | None:
        is_create = request.method == "POST" and request.path.endswith("/webhooks")
        return web.Response(status=503) if is_create and next(left, None) is None else None

    fake.intercept = after_two
    assert (await check(context, fern)).problems == ("The shop is out of order (status 503).",)
    assert len(remote.webhooks) == 2
    async with context.sessions() as session:
        row = await session.get(ShopConnection, (fern.brand_id, fern.id))
    assert row.check_due_at <= NOW + timedelta(hours=1)
    fake.intercept = None
    assert (await check(context, fern)).problems == ()
    assert registered(remote) == EVERY_TOPIC


async def test_what_is_missing_is_told_with_where_to_correct_it(context, fern, fake, remote):
    remote.keys.append(FakeKey(permissions="read"))
    await connect(context, fern, connection_of(fake, remote, remote.keys[1]))
    remote.has_coupons, remote.currency, remote.time_zone = False, "USD", "America/New_York"
    remote.url = "https://other.example"
    report = await check(context, fern)
    problems, notes = "\n".join(report.problems), "\n".join(report.notes)
    assert "may only read" in problems
    assert "set Permissions to Read/Write" in problems
    assert "USD at WooCommerce and EUR here" in problems
    assert "tick Enable coupons" in problems
    assert "5 of 5 webhooks are not registered" in problems
    assert "America/New_York in WordPress and Europe/Berlin here" in notes
    assert "other.example in WordPress and fern.example here" in notes
    assert 'PATCH /api/v1/shops/fern with {"url": "https://other.example"}' in notes
    assert 'PATCH /api/v1/shops/fern with {"time_zone": "America/New_York"}' in notes
    assert remote.webhooks == {}
    remote.keys[1].permissions, remote.shows_index = "read_write", False
    remote.has_coupons, remote.currency = True, "EUR"
    assert await check(context, fern) == ConnectionReport(
        (), ("Registered now: " + ", ".join(TOPICS) + ".",), TOPICS, holds_credit=True
    )


async def test_a_shop_that_names_no_field_of_consent_where_one_is_needed_is_told(
    context, fern, fake, remote, brand, session
):
    async def name(key: str | None) -> None:
        async with context.sessions.begin() as changing:
            shop = await changing.get(Shop, (fern.brand_id, fern.id))
            shop.platform_settings = {"consent_meta_key": key} if key else {}

    remote.country = "DE:DE-BY"
    await connect(context, fern, connection_of(fake, remote))
    assert (await check(context, fern)).problems == ()
    await name(None)
    (problem,) = (await check(context, fern)).problems
    assert "Customers in DE are asked with consent alone" in problem
    assert "tenfold shop settings fern --set consent_meta_key=KEY" in problem
    (night,) = await check_all(context)
    assert night.report.problems == (problem,)
    remote.country = "FR"
    assert (await check(context, fern)).problems == ()
    await change_brand(
        session,
        brand.id,
        {"countries": {"DE": {"email_basis": "existing_customer"}, "FR": {"email_basis": "consent"}}},
        actor=cli_actor(brand.id),
    )
    await session.commit()
    assert "Customers in FR" in (await check(context, fern)).problems[0]
    remote.country = "DE"
    assert (await check(context, fern)).problems == ()
    remote.country = "FR"
    await make_customer(context, brand, consents={Channel.email: True})
    assert (await check(context, fern)).problems == (), "consents come by another way"


async def test_an_address_to_which_wordpress_does_not_deliver_is_told(context, fern, fake, remote):
    await connect(context, fern, connection_of(fake, remote))
    settings = context.settings.model_copy(update={"public_url": "http://tenfold.example"})
    report = await check(dataclasses.replace(context, settings=settings), fern)
    assert "TENFOLD_PUBLIC_URL" in report.problems[0]
    assert remote.webhooks == {}


async def test_a_fenced_copy_of_the_database_registers_and_removes_nothing(context, fern, fake, remote):
    await connect(context, fern, connection_of(fake, remote))
    idle = FakeWebhook(7, "a", "order.updated", HOOK, SECRET, status="disabled")
    remote.webhooks[7] = idle
    async with context.sessions.begin() as session:
        await raise_fence(session, "a copy")
    problems = "\n".join((await check(context, fern)).problems)
    assert "4 of 5 webhooks are not registered" in problems
    assert "order.updated (disabled)" in problems
    assert await remove_webhooks(context, fern) is None
    assert remote.webhooks == {7: idle}


async def test_a_server_that_keeps_the_header_from_php_gets_the_key_in_the_address(
    context, fern, fake, remote
):
    given = connection_of(fake, remote)
    await connect(context, fern, given)
    assert not any("consumer" in path for _, path, _ in fake.requests)
    fake.keeps_authorization = True
    report = await check(context, fern)
    assert (report.problems, report.webhooks) == ((), TOPICS)
    remote.keys[0].consumer_secret = "cs_new"
    assert "does not accept the consumer key" in (await check(context, fern)).problems[0]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'\xef\xbb\xbf{"id": 7}', {"id": 7}),
        (b'\nDeprecated: strlen(): Passing [null] in /a.php on line 3\n{"id": 7}', {"id": 7}),
        (b"<br />\n<b>Notice</b>: Undefined index {x} in <b>/a.php</b><br />\n[1]\n", [1]),
        (b'{\n  "id": 7\n}', {"id": 7}),
        (b"<html>\n<body>{}</body>\n</html>\n", None),
        (b"", None),
    ],
)
def test_json_is_found_behind_what_php_prints(body, found):
    assert read_body(body) == (found, found is not None)


UNREACHABLE, REFUSED = "platform_unreachable", "connection_refused"
FAILURES = [
    (failing.page(), UNREACHABLE, "a page instead of data"),
    (failing.page(503), UNREACHABLE, "out of order (status 503)"),
    (failing.error(500, "internal_server_error"), UNREACHABLE, "out of order (status 500)"),
    (failing.error(429, "too_many_requests"), UNREACHABLE, "too many calls"),
    (failing.always(lambda: web.json_response([])), UNREACHABLE, "lacks what it always has"),
    (failing.always(lambda: web.json_response({"a": [1]})), UNREACHABLE, "lacks what it always has"),
    (failing.always(lambda: web.Response(text="[" * 100_000)), UNREACHABLE, "a page instead of data"),
    (failing.page(404), REFUSED, "Settings > Permalinks"),
    (failing.page(403), REFUSED, "blocks the REST API (status 403)"),
    (failing.error(401, "rest_login_required"), REFUSED, "blocks the REST API (status 401)"),
    (failing.error(403, "woocommerce_rest_cannot_view"), REFUSED, "an administrator or a shop manager"),
    (failing.redirect(), REFUSED, "redirects to https://www.fern.example, which is not followed"),
    (failing.redirect("https://[broken"), REFUSED, "The shop's address redirects, which"),
]


async def test_a_shop_that_does_not_respond_as_it_must_saves_nothing(context, fern, fake, remote):
    for intercept, code, words in FAILURES:
        fake.intercept = intercept
        with pytest.raises(AppError) as refused:
            await connect(context, fern, connection_of(fake, remote))
        assert (refused.value.code, words in refused.value.detail) == (code, True), refused.value.detail
    fake.intercept = None
    for change, words in (
        ({"has_permalinks": False}, "choose anything but Plain"),
        ({"is_active": False}, "the plugin is not active"),
        ({"keys": [FakeKey(is_manager=False)]}, "an administrator or a shop manager"),
        ({"keys": [FakeKey(permissions="write")]}, "may not read"),
    ):
        other = dataclasses.replace(FakeShop("other"), **change)
        fake.shops["other"] = other
        with pytest.raises(AppError) as refused:
            await connect(context, fern, connection_of(fake, other))
        assert (refused.value.code, words in refused.value.detail) == (REFUSED, True), refused.value.detail
    async with context.sessions() as session:
        assert await session.get(ShopConnection, (fern.brand_id, fern.id)) is None


async def test_keys_that_were_revoked_or_are_another_shops_are_told_and_no_secret_is_shown(
    context, fern, fake, remote, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    given = connection_of(fake, remote)
    await connect(context, fern, given)
    await check(context, fern)
    remote.keys = [FakeKey()]
    (problem,) = (await check(context, fern)).problems
    assert "were revoked, belong to another shop" in problem
    swapped = Connection(given.account, {**given.credentials, "consumer_key": remote.keys[0].consumer_key})
    with pytest.raises(AppError) as refused:
        await connect(context, fern, swapped)
    assert refused.value.code == REFUSED
    assert "revoked" in (await remove_webhooks(context, fern) or "")
    printed = caplog.text + "".join(capfd.readouterr())
    secrets = [*given.credentials.values(), SECRET]
    async with context.sessions() as session:
        for table in ("shop_connections", "audit_values", "audit_entries", "shops"):
            rows = (await session.scalars(text(f"SELECT {table}::text FROM {table}"))).all()
            assert not any(secret in row for secret in secrets for row in rows), table
    assert not any(secret in printed for secret in secrets)


async def test_a_shop_that_hangs_keeps_what_was_known_and_is_checked_within_the_hour(
    context, fern, fake, remote, monkeypatch
):
    monkeypatch.setattr("app.platforms.check.CHECK_SECONDS", 0.2)
    await connect(context, fern, connection_of(fake, remote))
    await check(context, fern)
    fake.intercept = hang = Hang()
    (problem,) = (await check(context, fern)).problems
    hang.released.set()
    assert "did not finish" in problem
    async with context.sessions() as session:
        row = await session.get(ShopConnection, (fern.brand_id, fern.id))
    assert (row.webhooks, row.check_due_at) == (list(TOPICS), NOW + timedelta(hours=1))


def test_registered_topics_are_those_that_are_parsed():
    assert set(TOPICS) == _ORDERS | _CUSTOMERS


@pytest.mark.parametrize(
    ("given", "account"),
    [
        ("acme.example", "https://acme.example"),
        (" HTTPS://Acme.Example/ ", "https://acme.example"),
        ("https://acme.example/Shop/wp-json/wc/v3/", "https://acme.example/Shop"),
        ("https://acme.example/wp-admin/index.php?page=wc-settings", "https://acme.example"),
        ("https://acme.example:8443/a/b", "https://acme.example:8443/a/b"),
        ("https://müsli.example", "https://xn--msli-0ra.example"),
        ("http://127.0.0.1:9000/acme", "http://127.0.0.1:9000/acme"),
    ],
)
def test_an_account_is_stored_in_one_form(given: str, account: str):
    assert parse_account(given, local=True) == account
    assert url_of_account(account) == account


@pytest.mark.parametrize(
    "given",
    [
        "",
        "acme",
        "localhost",
        "http://acme.example",
        "http://127.0.0.1:9000/acme",
        "https://127.0.0.1",
        "https://[::1]/",
        "https://ana:secret@acme.example",
        "https://acme.example/../x",
        "https://acme.example/a b",
        "ftp://acme.example",
        "https://acme.example:99999",
        "https://[broken",
    ],
)
def test_what_is_no_https_address_is_no_account(given: str):
    with pytest.raises(AppError) as refused:
        parse_account(given, local=False)
    assert refused.value.code == "bad_account"
    assert "secret" not in refused.value.detail


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"consumer_key": "ck_1"},
        {"consumer_key": "cs_1", "consumer_secret": "ck_1"},
        {"consumer_key": "ck_1", "consumer_secret": "cs_1 2"},
        {"consumer_key": "ck_1", "consumer_secret": "cs_1", "access_token": "a"},
        {"consumer_key": "ck_ü", "consumer_secret": "cs_1"},
        {"consumer_key": "ck_1:", "consumer_secret": "cs_1"},
    ],
)
def test_what_is_no_key_is_refused_before_it_is_tried(credentials: dict[str, str]):
    with pytest.raises(AppError) as refused:
        make_connection("https://acme.example", credentials, local=False)
    assert refused.value.code == "bad_credentials"
    assert not any(value in refused.value.detail for value in credentials.values() if len(value) > 4)


async def test_an_account_that_leads_into_our_own_network_is_never_called(remote):
    async with FakeWooCommerce(remote) as fake:
        async with open_session(connections=1, total_seconds=5.0) as http:
            shop = ConnectedShop("fern", None, "EUR", "UTC", HOOK)
            with pytest.raises(OutsideError) as refused:
                await check_connection(http, connection_of(fake, remote), shop, register=True)
        assert refused.value.permanent
        assert "not a public one" in refused.value.reason
        assert fake.requests == []
    for account in ("http://acme.example", "https://127.0.0.1", "https://a@b.example", ""):
        with pytest.raises(OutsideError):
            url_of_account(account)
