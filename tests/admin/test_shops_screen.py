"""Settings, Shops, and the same by API: shops are added, connected, checked, read, disconnected."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from sqlalchemy import select

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base import clock
from app.base.actor import cli_actor
from app.brands.models import Brand
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeBucket, FakeShop
from app.ingest.sync_sweep import work_due
from app.orders.models import Order
from app.platforms.check_sweep import check_due
from tests.support.apps import api_app
from tests.support.browser import serve
from tests.support.dashboard import browser_of, check_screen, dashboard_app, sign_in_as, signed_in_page
from tests.support.fake_shopify import client_credentials
from tests.support.forms import send_form
from tests.support.samples import sample

SHOPS = "/admin/settings/shops"
LARGE = FakeBucket(maximum=1e9, rate=1e9, available=1e9)


@pytest.fixture
def context(context):
    update = {"local_platforms": True, "public_url": "http://test"}
    return dataclasses.replace(context, settings=context.settings.model_copy(update=update))


@pytest.fixture
async def fake() -> AsyncIterator[FakeShopify]:
    remote = FakeShop("fern.myshopify.com", host="fern.example", bucket=LARGE)
    async with FakeShopify(remote) as fake:
        yield fake


async def test_a_shop_is_added_connected_checked_read_and_disconnected(context, brand: Brand, fake):
    remote = fake.shops["fern.myshopify.com"]
    order = sample("shopify", "order_paid") | {"updated_at": (clock.now() - timedelta(hours=2)).isoformat()}
    remote.orders = [order]
    given = client_credentials(fake, remote)
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand)
        assert "There is no shop yet" in (await client.get(SHOPS)).text
        new = {"name": "Fern", "slug": "no slug", "platform": "shopify", "url": "https://fern.example"}
        new |= {"currency": "eur", "time_zone": "Europe/Berlin", "locale": "en"}
        refused = await send_form(client, f"{SHOPS}/new", f"{SHOPS}/new", new)
        assert (refused.status_code, "cannot stand in an address" in refused.text) == (422, True)
        made = await send_form(client, f"{SHOPS}/new", f"{SHOPS}/new", new | {"slug": "fern"})
        assert (made.status_code, made.headers["location"]) == (303, f"{SHOPS}/fern")
        page = f"{SHOPS}/fern"
        assert "Its cart knows no codes" in (await client.get(page)).text

        wrong = {"account": given.account, "client_id": "wrong", "client_secret": "wrong-wrong-wrong"}
        failed = await send_form(client, page, f"{page}/connect", wrong)
        assert failed.status_code == 422
        assert "wrong-wrong" not in failed.text
        await send_form(client, page, f"{page}/connect", {"account": given.account, **given.credentials})
        waiting = await client.get(page)
        assert "Being checked" in waiting.text
        assert waiting.headers["refresh"].endswith(f"url={page}")
        assert await check_due(context, brand.id, now=clock.now()) == 1
        checked = await client.get(page)
        assert "Connected as" in checked.text
        assert "refresh" not in checked.headers
        assert given.credentials["client_secret"] not in checked.text

        await send_form(client, page, f"{page}/check")
        assert "Being checked" in (await client.get(SHOPS)).text
        assert await check_due(context, brand.id, now=clock.now()) == 1
        # Shopify delivers to https alone, and the sentence that says so stands in the list too.
        listed = (await client.get(SHOPS)).text
        assert "Something is missing" in listed
        assert "https" in listed

        tomorrow = (clock.now() + timedelta(days=2)).date().isoformat()
        early = await send_form(client, page, f"{page}/sync", {"since": tomorrow})
        assert (early.status_code, "Choose a day that has begun" in early.text) == (422, True)
        await send_form(client, page, f"{page}/sync", {"since": "2026-01-01", "history": "on"})
        assert "Begins" in (await client.get(page)).text
        assert await work_due(context, brand.id, now=clock.now()) == 1
        assert "1 orders: 1 new, 0 known, 0 failed" in (await client.get(page)).text
        async with context.sessions() as session:
            assert (await session.scalars(select(Order.history))).all() == [True]

        gone = await send_form(client, page, f"{page}/disconnect")
        assert gone.headers["location"] == page
        assert "Not connected" in (await client.get(page)).text
        assert (await client.get(f"{SHOPS}/other")).status_code == 404


async def test_the_api_adds_a_shop_once_shows_platforms_and_asks_for_what_the_screen_asks_for(context, brand):
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, [Scope.admin], actor=cli_actor(brand.id))
    headers = {"Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=api_app(context))
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test/api/v1", headers=headers
    ) as client:
        new = {"slug": "mill", "name": "Mill", "url": "https://mill.example"}
        made = await client.post("/shops", json=new, headers={"Idempotency-Key": "k"})
        assert made.status_code == 201, made.text
        assert made.json()["hooks"] == {"checkout": "http://test/hooks/mill/checkout"}
        assert made.json()["webhook_secret"].startswith("whsec_")
        again = await client.post("/shops", json=new, headers={"Idempotency-Key": "k"})
        assert again.json()["webhook_secret"] != made.json()["webhook_secret"]
        assert (await client.post("/shops", json=new)).status_code == 409
        platforms = {each["platform"]: each for each in (await client.get("/platforms")).json()["data"]}
        assert platforms["checkout"]["credentials"] == []
        assert platforms["shopify"]["credit"] == "account"
        assert (await client.post("/shops/mill/connection/check", json={})).status_code == 404
        assert (await client.get("/shops/mill/sync")).status_code == 404
        refused = await client.post("/shops/mill/sync", json={"since": "2026-01-01T00:00:00Z"})
        assert (refused.status_code, refused.json()["code"]) == (422, "cannot_sync")


@pytest.mark.slow
async def test_the_screens_of_shops_fit_and_are_accessible(context, brand, shop, fake, browser):
    given = client_credentials(fake, fake.shops["fern.myshopify.com"])
    async with serve(dashboard_app(context), browser) as site, signed_in_page(site, context, brand) as page:
        await check_screen(page, f"{site.url}{SHOPS}", "shops")
        await check_screen(page, f"{site.url}{SHOPS}/{shop.slug}", "shop_checkout")
        await page.goto(f"{site.url}{SHOPS}/new")
        await page.fill("[name=name]", "Fern")
        await page.fill("[name=slug]", "fern")
        await page.click("text=Add the shop")
        await page.fill("[name=account]", given.account)
        for name, value in given.credentials.items():
            await page.fill(f"[name={name}]", value)
        await page.click("text=Try and connect")
        assert await check_due(context, brand.id, now=clock.now()) == 1
        await check_screen(page, f"{site.url}{SHOPS}/fern", "shop")
        await check_screen(page, f"{site.url}{SHOPS}/new", "shop_new", [(1440, "light")])
