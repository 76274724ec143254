"""The client of Shopify's Admin API against the fake, over real HTTP: tokens, limits, failures."""

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from app.base.errors import AppError, Fault, Outcome, OutsideError
from app.base.http import open_session
from app.base.log import scrub
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeBucket, FakeShop
from app.platforms.calls import open_platform_session
from app.platforms.connection_types import Connection
from app.platforms.shopify.access_tokens import AccessTokens
from app.platforms.shopify.accounts import domain_of_account, parse_account, url_of_account
from app.platforms.shopify.client import ShopifyClient
from app.platforms.shopify.documents import CREATE_WEBHOOK, LIST_WEBHOOKS, PERSONAL_DATA, SHOP_FACTS, Document
from app.platforms.shopify.responses import user_errors
from app.platforms.shopify.throttle import Bucket
from tests.support import fake_shopify as failing
from tests.support.fake_shopify import client_credentials, custom_token

WEBHOOK = {"topic": "ORDERS_PAID", "uri": "https://tenfold.example/hooks/acme/shopify"}


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop()


@pytest.fixture
async def fake(shop: FakeShop) -> AsyncIterator[FakeShopify]:
    async with FakeShopify(shop) as fake:
        yield fake


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(connections=20, total_seconds=5.0, loopback=True) as session:
        yield session


def client_of(http, connection: Connection, *, wait_seconds: float = 10.0) -> ShopifyClient:
    return ShopifyClient(http, connection, access_tokens=AccessTokens(), wait_seconds=wait_seconds)


async def failure(client: ShopifyClient, document: Document = SHOP_FACTS, variables=None) -> OutsideError:
    with pytest.raises(OutsideError) as raised:
        await client.run(document, variables)
    assert "shpat_" not in raised.value.reason
    assert raised.value.reason.endswith((".", ").", "scope."))
    return raised.value


async def test_one_access_token_serves_all_calls_of_a_process(fake, shop, http):
    tokens, connection = AccessTokens(), client_credentials(fake, shop)
    clients = [ShopifyClient(http, connection, access_tokens=tokens) for _ in range(5)]
    found = await asyncio.gather(*(client.run(SHOP_FACTS) for client in clients))
    assert [each["shop"]["myshopifyDomain"] for each in found] == ["acme.myshopify.com"] * 5
    assert shop.tokens_given == 1


async def test_an_access_token_that_has_ended_is_renewed(fake, shop, http):
    client = client_of(http, client_credentials(fake, shop))
    await client.run(SHOP_FACTS)
    shop.tokens.clear()
    await client.run(SHOP_FACTS)
    assert shop.tokens_given == 2


async def test_a_token_is_renewed_before_it_ends(fake, shop, http):
    fake.app.token_seconds = 599
    client = client_of(http, client_credentials(fake, shop))
    await client.run(SHOP_FACTS)
    await client.run(SHOP_FACTS)
    assert shop.tokens_given == 2


async def test_a_revoked_token_of_a_custom_app_is_an_access_fault(fake, shop, http):
    client = client_of(http, custom_token(fake, shop))
    await client.run(SHOP_FACTS)
    shop.tokens.clear()
    error = await failure(client)
    assert (error.outcome, error.fault, error.permanent) == (Outcome.refused, Fault.access, False)
    assert "revoked" in error.reason
    assert "tenfold shop connect" in error.reason


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"client_secret": "shpss_wrong"}, "does not accept this client id with this client secret"),
        ({"client_id": "unknown"}, "knows no app with this client id"),
    ],
)
async def test_wrong_client_credentials_are_told_apart(fake, shop, http, changed, words):
    good = client_credentials(fake, shop)
    error = await failure(client_of(http, Connection(good.account, {**good.credentials, **changed})))
    assert (error.outcome, error.fault) == (Outcome.refused, Fault.access)
    assert words in error.reason


async def test_an_app_that_is_not_installed_gets_no_token(fake, shop, http):
    shop.is_installed = False
    error = await failure(client_of(http, client_credentials(fake, shop)))
    assert "not installed in this shop" in error.reason


async def test_an_unknown_shop_is_told(fake, http):
    error = await failure(client_of(http, client_credentials(fake, FakeShop("other.myshopify.com"))))
    assert "no shop under this account" in error.reason


@pytest.mark.parametrize(
    ("status", "fault", "words"),
    [
        (402, Fault.access, "frozen"),
        (403, Fault.access, "forbids"),
        (404, Fault.access, "knows no shop"),
        (423, Fault.access, "locked"),
        (500, Fault.outage, "status 500"),
        (503, Fault.outage, "status 503"),
    ],
)
async def test_each_status_has_its_sentence(fake, shop, http, status, fault, words):
    fake.intercept = failing.page(status)
    error = await failure(client_of(http, custom_token(fake, shop)))
    assert error.fault is fault
    assert words in error.reason


async def test_too_many_requests_say_when_to_come_again(fake, shop, http):
    fake.intercept = failing.always(lambda: web.Response(status=429, headers={"Retry-After": "7"}))
    error = await failure(client_of(http, custom_token(fake, shop)))
    assert (error.fault, error.retry_after) == (Fault.busy, 7.0)


async def test_a_page_instead_of_data_leaves_a_change_unknown_and_a_question_refused(fake, shop, http):
    client = client_of(http, custom_token(fake, shop))
    fake.intercept = failing.page()
    assert (await failure(client)).outcome is Outcome.refused
    error = await failure(client, CREATE_WEBHOOK, WEBHOOK)
    assert (error.outcome, error.fault) == (Outcome.unknown, Fault.outage)
    assert "page instead of data" in error.reason


async def test_a_redirect_is_not_followed(fake, shop, http):
    fake.intercept = failing.redirect()
    error = await failure(client_of(http, custom_token(fake, shop)))
    assert (error.outcome, error.fault) == (Outcome.refused, Fault.access)
    assert "redirects" in error.reason


async def test_a_hanging_platform_ends_in_time(fake, shop):
    fake.intercept = hang = failing.Hang()
    async with open_session(connections=1, total_seconds=0.3, loopback=True) as http:
        began = time.monotonic()
        error = await failure(client_of(http, custom_token(fake, shop)))
        assert time.monotonic() - began < 3
    hang.released.set()
    assert (error.outcome, error.fault) == (Outcome.unknown, Fault.outage)


async def test_a_call_waits_until_the_bucket_has_its_points(fake, shop, http):
    client = client_of(http, custom_token(fake, shop))
    shop.bucket = FakeBucket(maximum=200, rate=100, available=0)
    began = time.monotonic()
    found = await client.run(LIST_WEBHOOKS)
    assert found["webhookSubscriptions"]["nodes"] == []
    assert 0.9 < time.monotonic() - began < 5


async def test_calls_side_by_side_share_the_bucket(fake, shop, http):
    client = client_of(http, custom_token(fake, shop))
    shop.bucket = FakeBucket(maximum=20, rate=200)
    await asyncio.gather(
        *(client.run(CREATE_WEBHOOK, {**WEBHOOK, "uri": f"{WEBHOOK['uri']}/{n}"}) for n in range(20))
    )
    assert len(shop.webhooks) == 20


async def test_an_hour_of_throttling_is_given_back_to_the_caller(fake, shop, http):
    client = client_of(http, custom_token(fake, shop))
    shop.bucket = FakeBucket(maximum=200, rate=0.02, available=0)
    began = time.monotonic()
    error = await failure(client, LIST_WEBHOOKS)
    assert time.monotonic() - began < 2
    assert error.fault is Fault.busy
    assert 3_000 < error.retry_after < 10_000


async def test_throttling_without_numbers_is_tried_again_for_a_while(fake, shop, http):
    fake.intercept = failing.always(
        lambda: web.json_response({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]})
    )
    error = await failure(client_of(http, custom_token(fake, shop), wait_seconds=1.5))
    assert error.fault is Fault.busy


async def test_a_lacking_scope_is_named(fake, shop, http):
    shop.scopes = frozenset({"write_discounts"})
    error = await failure(client_of(http, custom_token(fake, shop)), PERSONAL_DATA)
    assert (error.outcome, error.fault) == (Outcome.refused, Fault.access)
    assert "read_orders" in error.reason


async def test_a_document_that_shopify_cannot_read_is_refused_for_good(fake, shop, http):
    client = client_of(http, custom_token(fake, shop))
    error = await failure(client, Document("Wrong", "query Wrong { shop { colour } }"))
    assert error.permanent
    dear = "query Dear { orders(first: 250) { nodes { id customer { id } a: customer { id } b: customer { id } c: customer { id } } } }"
    assert "1000" in (await failure(client, Document("Dear", dear))).reason


async def test_errors_for_people_are_read_from_a_change(fake, shop, http):
    client = client_of(http, custom_token(fake, shop))
    first = await client.run(CREATE_WEBHOOK, WEBHOOK)
    again = await client.run(CREATE_WEBHOOK, WEBHOOK)
    assert user_errors(first["webhookSubscriptionCreate"]) == []
    assert [each.message for each in user_errors(again["webhookSubscriptionCreate"])] == [
        "Address for this topic has already been taken"
    ]


async def test_a_fake_on_this_machine_is_called_only_where_the_settings_allow_it(fake, shop, settings):
    connection = custom_token(fake, shop)
    async with open_platform_session(settings, connections=1, total_seconds=5.0) as http:
        assert "not a public one" in (await failure(client_of(http, connection))).reason
    local = settings.model_copy(update={"local_platforms": True})
    async with open_platform_session(local, connections=1, total_seconds=5.0) as http:
        assert (await client_of(http, connection).run(SHOP_FACTS))["shop"]["name"] == "Acme Goods"


@pytest.mark.parametrize(
    "given",
    [
        "acme-2.myshopify.com",
        " ACME-2.myshopify.com ",
        "https://acme-2.myshopify.com/admin",
        "https://admin.shopify.com/store/acme-2/settings/domains?x=1",
        "admin.shopify.com/store/acme-2",
    ],
)
def test_an_account_is_the_domain_that_shopify_gave(given: str):
    account = parse_account(given, local=False)
    assert account == "acme-2.myshopify.com"
    assert url_of_account(account) == "https://acme-2.myshopify.com"
    assert domain_of_account(account) == account


@pytest.mark.parametrize(
    "given",
    [
        "acme.example",
        "acme.myshopify.com.evil.example",
        "evil.example/acme.myshopify.com",
        "https://acme.myshopify.com@evil.example",
        "http://acme.myshopify.com",
        "http://127.0.0.1:9000/acme.myshopify.com",
        "a.b.myshopify.com",
        "-.myshopify.com",
        "",
        "acme.myshopify.com\nevil.example",
        "https://admin.shopify.com/store/",
        "https://admin.shopify.com/store/a.b",
        "https://admin.shopify.com.evil.example/store/acme",
    ],
)
def test_another_host_is_no_account(given: str):
    with pytest.raises(AppError) as refused:
        parse_account(given, local=False)
    assert refused.value.code == "bad_account"
    if not given.startswith("http://127"):
        with pytest.raises(OutsideError):
            url_of_account(given)


def test_an_address_of_this_machine_is_an_account_for_tests():
    account = parse_account("http://127.0.0.1:9000/acme.myshopify.com", local=True)
    assert url_of_account(account) == account
    assert domain_of_account(account) == "acme.myshopify.com"
    with pytest.raises(AppError):
        parse_account("http://10.0.0.1:9000/acme.myshopify.com", local=True)


def test_a_call_beyond_the_bucket_waits_until_it_is_full():
    bucket = Bucket(available=10, maximum=100, rate=10, at=0.0)
    assert bucket.seconds_until(5, 0.0) == 0.0
    assert bucket.seconds_until(60, 0.0) == 5.0
    assert bucket.seconds_until(60, 4.95) == 0.1
    assert bucket.seconds_until(1_000, 0.0) == 9.0
    assert bucket.after(10, 0.0).seconds_until(50, 0.0) == 5.0


@pytest.mark.parametrize(
    "wrong", [None, [], {"cost": None}, {"cost": {"throttleStatus": {"restoreRate": 0}}}]
)
def test_unreadable_costs_are_no_bucket(wrong: object):
    assert Bucket.of(wrong, 0.0) is None


def test_logs_hold_no_token_of_shopify():
    assert scrub("refused shpat_0123abcd and shpss_0123abcd") == "refused [hidden] and [hidden]"
