"""A shop's own pages and mails show the links of an order to its buyer, and to nobody else."""

import httpx2
import pytest
from sqlalchemy import update

from app.base import clock
from app.base.actor import cli_actor
from app.base.due import run_until_idle
from app.base.web import lookup_limit
from app.brands.models import Shop
from app.brands.rules import Platform
from app.customers.person import Person
from app.platforms.connection_types import Connection
from app.platforms.connections import save_connection
from app.surveys.sweep import sweep
from tests.support.apps import whole_app
from tests.support.constants import NOW, SECRET
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_delivered_order, make_order
from tests.support.factories.referrals import make_referrer, owner_of
from tests.support.fake_shopify import session_token

NOTHING = dict.fromkeys(("share_url", "code", "discount", "reward", "disclosure", "survey_url"))
NUMBER = "XPAV284CT"


@pytest.fixture
async def client(context, brand, shop):
    """Of a shop at Shopify, whose app has the shop's webhook secret."""
    async with context.sessions.begin() as session:
        await session.execute(update(Shop).values(platform=Platform.shopify))
        connection = Connection("acme.myshopify.com", {"client_id": "client", "client_secret": SECRET})
        actor = cli_actor(brand.id)
        await save_connection(
            session, context.tokens, brand.id, shop.id, connection, actor=actor, now=clock.now()
        )
    transport = httpx2.ASGITransport(app=whole_app(context))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def links(client, order: str, confirmation: str = "", *, slug: str = "acme", **claims) -> object:
    token = session_token(SECRET, at=clock.now(), **claims)
    response = await client.get(
        f"/links/{slug}",
        params={"order": order, "confirmation": confirmation},
        headers={"Authorization": f"Bearer {token}", "Origin": "null"},
    )
    assert response.headers.get("Access-Control-Allow-Origin") == "*", response.text
    return response.json() if response.status_code == 200 else (response.status_code, response.json()["code"])


async def test_the_buyer_of_an_order_sees_its_links_and_nobody_else(context, brand, shop, client):
    code = await make_referrer(context, brand, shop, now=clock.now(), email="ana@example.com")
    owner = await owner_of(context, code)
    buyer = Person(external_id="77")
    await make_order(context, brand, shop, owner, order_id="118", confirmation=NUMBER, person=buyer)
    found = await links(client, "118", NUMBER.lower())
    assert found["share_url"].startswith(f"{context.settings.public_url}/r/")
    # The shop does not know the code yet.
    assert (found["code"], found["discount"], found["survey_url"]) == (None, "10%", None)
    assert found == await links(client, "118", sub="gid://shopify/Customer/77")
    other = await make_customer(context, brand, email="ben@example.com")
    await make_order(context, brand, shop, other, order_id="119", confirmation="OTHER1234")
    for order, given, customer in (
        ("118", "", "78"),
        ("118", "OTHER1234", "78"),
        ("119", NUMBER, "77"),
        ("120", NUMBER, "77"),
        ("", NUMBER, "77"),
        ("119", "OTHER1234", "1"),
    ):
        assert await links(client, order, given, sub=f"gid://shopify/Customer/{customer}") == NOTHING
    page = await client.get(
        "/o/acme", params={"order": "118", "confirmation": NUMBER}, follow_redirects=False
    )
    own = context.tokens.link("referrer", brand.id, code.referrer_id)
    assert (page.status_code, page.headers["Location"]) == (303, f"{context.settings.public_url}/p/{own}")
    page = await client.get("/o/acme", params={"order": "119", "confirmation": "OTHER1234"})
    assert page.headers["Location"] == "https://acme.example"


async def test_the_survey_of_a_delivered_order_is_the_one_that_was_sent(
    context, brand, shop, client, monkeypatch
):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    owner = await make_customer(context, brand, email="ana@example.com")
    await make_delivered_order(context, brand, shop, owner, order_id="118", confirmation=NUMBER)
    assert await links(client, "118", NUMBER) == NOTHING
    await run_until_idle([sweep(context)], NOW)
    found = await links(client, "118", NUMBER)
    assert found["survey_url"].startswith(f"{context.settings.public_url}/s/")
    page = await client.get("/o/acme", params={"order": "118", "confirmation": NUMBER})
    assert page.headers["Location"] == found["survey_url"]


async def test_a_token_that_is_not_the_shops_shows_nothing(context, brand, shop, client):
    for claims in ({"dest": "other.myshopify.com"}, {"aud": "another"}, {"slug": "other"}, {"slug": "A b"}):
        assert await links(client, "118", NUMBER, **claims) == (401, "bad_session")
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Basic abc"}):
        response = await client.get("/links/acme?order=1", headers=headers)
        assert response.status_code == 401
    asked = await client.options("/links/acme", headers={"Origin": "null"})
    allowed = {name: asked.headers[f"Access-Control-{name}"] for name in ("Allow-Origin", "Allow-Headers")}
    assert (asked.status_code, allowed) == (204, {"Allow-Origin": "*", "Allow-Headers": "Authorization"})


async def test_who_asks_in_vain_again_and_again_is_stopped(context, client, monkeypatch):
    monkeypatch.setattr(lookup_limit, "PER_ADDRESS", 3)
    client._transport.app.state.lookup_limit = lookup_limit.LookupRateLimit(per_address=3)
    assert await links(client, "1", "a") == NOTHING
    assert (await client.get("/o/acme?order=1")).status_code == 404
    assert await links(client, "2", "a", slug="other") == (401, "bad_session")
    assert await links(client, "3", "a") == (429, "too_many_guesses")
    assert (await client.get("/o/acme?order=1")).status_code == 429
    assert (await client.head("/o/acme?order=1")).status_code == 429
