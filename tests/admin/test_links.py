"""A shop's pages and mails get a customer's own links, with a key and by what the shop knows."""

from datetime import timedelta

import pytest

from app.admin.api import guesses
from app.admin.rules import Scope
from app.base import clock
from app.base.due import run_until_idle
from app.base.ids import public_id
from app.checkout.links import find_order_links
from app.referrals.share import find_share
from app.surveys.sweep import sweep
from tests.support.constants import NOW
from tests.support.factories.customers import make_customer
from tests.support.factories.orders import make_delivered_order
from tests.support.factories.referrals import make_referrer, owner_of
from tests.support.keys import api_of

NOTHING = dict.fromkeys(("customer", "share_url", "code", "discount", "reward", "disclosure", "survey_url"))


@pytest.fixture
async def client(context, brand, shop):
    async with await api_of(context, brand, Scope.checkout) as client:
        yield client


async def links(client, **query: str):
    response = await client.get("/links", params=query)
    return response.json() if response.status_code == 200 else (response.status_code, response.json()["code"])


async def test_a_promoter_is_known_by_address_and_by_order_and_others_have_nothing(
    context, client, brand, shop
):
    code = await make_referrer(context, brand, shop, now=clock.now(), email="ana@example.com")
    owner = await owner_of(context, code)
    await make_delivered_order(context, brand, shop, owner, order_id="42/7")
    async with context.sessions() as session:
        share = await find_share(session, context.settings.public_url, brand, owner, now=clock.now())
    assert share is not None
    found = await links(client, email=" Ana@Example.com ")
    assert found == await links(client, shop=shop.slug, order="42/7") == await links(client, order="42/7")
    assert (found["share_url"], found["code"]) == (share.share_url, code.display)
    assert (found["discount"], found["disclosure"]) == ("10%", share.disclosure)
    assert found["survey_url"] is None

    other = await make_customer(context, brand, email="ben@example.com")
    assert await links(client, email="ben@example.com") == NOTHING | {"customer": public_id("cus", other)}
    for query in ({"email": "nobody@example.com"}, {"email": "x"}, {"order": "7"}):
        assert await links(client, **query) == NOTHING
    for query in (
        {},
        {"email": "a@example.com", "order": "1"},
        {"shop": shop.slug},
        {"shop": "x", "email": "a"},
    ):
        assert await links(client, **query) == (422, "invalid")
    assert await links(client, shop="other", order="42/7") == (422, "unknown_shop")


async def test_a_key_that_guesses_addresses_or_orders_is_stopped(client, monkeypatch):
    monkeypatch.setattr(guesses, "ADDRESSES_PER_KEY", 3)
    for query in ({"email": "a@example.com"}, {"order": "1"}, {"order": "1"}, {"order": "2"}):
        assert await links(client, **query) == NOTHING
    assert await links(client, email="b@example.com") == (429, "too_many_guesses")


async def test_the_survey_of_an_order_has_one_link_until_it_is_over(context, brand, shop):
    owner = await make_customer(context, brand)
    await make_delivered_order(context, brand, shop, owner, order_id="42")

    async def survey_url(at) -> str | None:
        async with context.sessions() as session:
            found = await find_order_links(session, context.tokens, "https://nps.example", shop, "42", now=at)
        assert found is not None
        assert found.customer_id == owner
        return found.survey_url

    assert await survey_url(NOW) is None
    sent_at = NOW + timedelta(days=4)
    await run_until_idle([sweep(context)], sent_at)
    first = await survey_url(sent_at)
    assert first is not None
    assert first.startswith("https://nps.example/s/")
    assert await survey_url(sent_at) == first
    assert await survey_url(sent_at + timedelta(days=400)) is None
    async with context.sessions() as session:
        assert await find_order_links(session, context.tokens, "", shop, "420", now=NOW) is None
