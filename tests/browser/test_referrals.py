"""The referrer's and the friend's page in a real Chromium: nobody is shut out, and they are light."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import async_playwright
from sqlalchemy import select, update
from starlette.staticfiles import StaticFiles

from app.base.paths import ROOT
from app.base.web.context import AppContext
from app.base.web.middleware import RequestMiddleware
from app.base.web.problems import install_problems
from app.brands.models import Brand, Shop
from app.referrals.models import Code, Referrer
from app.referrals.routes import router
from tests.browser.test_customer_pages import CHROMIUM, House, check
from tests.support.constants import NOW
from tests.support.referring import change_order, friend_orders, make_referrer, set_terms, settle

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture
async def code(context: AppContext, brand: Brand, shop: Shop) -> Code:
    """A named code with a good history, which works on the day the test is run."""
    await set_terms(context, brand, {"offer": {"code_style": "named", "minimum_subtotal": "40.00"}})
    code = await make_referrer(context, brand, shop)
    for facts in ({}, {"refunded": 3600}, {"cancelled_at": NOW}):
        redemption = await friend_orders(context, brand, shop, code.code)
        await settle(context)
        await change_order(context, brand, redemption.order_id, **facts)
    await friend_orders(context, brand, shop, code.code, subtotal=3900)
    await friend_orders(context, brand, shop, code.code)
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(expires_at=NOW.replace(year=2126)))
    return code


@pytest.fixture
async def house(context: AppContext, code: Code) -> AsyncIterator[House]:
    app = FastAPI()
    app.state.context = context
    app.add_middleware(RequestMiddleware)
    install_problems(app)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=ROOT / "static"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield House(
            f"http://127.0.0.1:{port}",
            f"/p/{context.tokens.link('referrer', code.brand_id, code.customer_id)}",
            browser,
            app,
        )
        await browser.close()
    server.should_exit = True
    await running


async def friend_path(context: AppContext, code: Code) -> str:
    async with context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug).where(Referrer.customer_id == code.customer_id))
    return f"/r/{slug}"


async def test_the_referrers_page_is_open_to_everybody(house: House) -> None:
    await check(house, "referrer", house.link)


async def test_the_friends_page_is_open_to_everybody(house: House, context: AppContext, code: Code) -> None:
    await check(house, "friend", await friend_path(context, code))


async def test_the_page_of_a_worn_out_code_is_open_to_everybody(house: House, context: AppContext) -> None:
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(expires_at=NOW))
    await check(house, "referrer_expired", house.link)


async def test_both_pages_are_light_and_useful_without_a_script(
    house: House, context: AppContext, code: Code
) -> None:
    for path, shown in (
        (house.link, "a[href^='https://wa.me/']"),
        (await friend_path(context, code), "a[href*='discount=']"),
    ):
        async with house.page(script=False) as page:
            weights: list[int] = []

            async def weigh(response, weights: list[int] = weights) -> None:
                weights.append(len(gzip.compress(await response.body())))

            page.on("response", weigh)
            await page.goto(house.url + path, wait_until="networkidle")
            assert sum(weights) <= 15 * 1024, weights
            assert await page.is_visible(shown)
            assert await page.is_visible(".code")
            assert not await page.is_visible("[data-copy]")
            assert await page.context.cookies() == []


async def test_the_link_is_copied_with_one_press(house: House) -> None:
    async with house.page() as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto(house.url + house.link)
        await page.click("[data-copy]")
        await page.wait_for_selector("text=Copied")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == await page.input_value("#share-link")
