"""The referrer's and the friend's page in a real Chromium: nobody is shut out, and they are
light."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from sqlalchemy import select, update

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from app.referrals.models import Code, Referrer
from app.referrals.routes import router
from tests.support.browser import (
    Site,
    View,
    app_of,
    check_page,
    needs_chromium,
    overflow,
    serve,
    violations,
    weights,
)
from tests.support.constants import NOW
from tests.support.factories.orders import change_order
from tests.support.factories.programme import set_terms
from tests.support.factories.referrals import friend_orders, make_referrer, settle

pytestmark = [pytest.mark.browser, needs_chromium]


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
async def site(context: AppContext, code: Code, browser: Browser) -> AsyncIterator[Site]:
    """The pages of referrals; the link is the referrer's page."""
    link = f"/p/{context.tokens.link('referrer', code.brand_id, code.referrer_id)}"
    async with serve(app_of(context, router), browser, link) as site:
        yield site


async def friend_path(context: AppContext, code: Code) -> str:
    async with context.sessions() as session:
        slug = await session.scalar(select(Referrer.slug).where(Referrer.id == code.referrer_id))
    return f"/r/{slug}"


async def test_the_referrers_page_is_accessible(site: Site, views: list[View]) -> None:
    await check_page(site, "referrer", site.link, views)


async def test_the_friends_page_is_accessible(
    site: Site, context: AppContext, code: Code, views: list[View]
) -> None:
    await check_page(site, "friend", await friend_path(context, code), views)


async def test_a_friends_page_that_gives_each_a_code_is_accessible(
    site: Site, context: AppContext, brand: Brand, shop: Shop, views: list[View]
) -> None:
    await set_terms(context, brand, {"offer": {"code_per": "friend"}})
    share = await make_referrer(context, brand, shop, first_name="Bea")
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(expires_at=NOW.replace(year=2126)))
    path = await friend_path(context, share)
    diagonal = [view for place, view in enumerate(views) if place in {0, 3, 4, 7}]
    await check_page(site, "friend_own", path, diagonal)
    async with site.page(width=320) as page:
        await page.goto(site.url + path)
        await page.click("text=Get my code")
        assert await page.is_visible(".code")
        assert await violations(page) == []
        assert await overflow(page) <= 0


async def test_the_page_of_an_expired_code_is_accessible(
    site: Site, context: AppContext, views: list[View]
) -> None:
    async with context.sessions.begin() as session:
        await session.execute(update(Code).values(expires_at=NOW))
    await check_page(site, "referrer_expired", site.link, views)


async def test_a_code_is_not_divided_between_two_lines(
    site: Site, context: AppContext, brand: Brand, code: Code, views: list[View]
) -> None:
    lines = """() => [...document.querySelectorAll('.code')].map(one =>
        Math.round(one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight)))"""
    path = await friend_path(context, code)
    # A ten letters' name, as long as a code can be; and the German button is the broader one.
    for display in ("MAXIMILIAN-7K4QX", "BE3Q5P2GG6"):
        async with context.sessions.begin() as session:
            await session.execute(update(Code).where(Code.id == code.id).values(display=display))
            await session.execute(update(Brand).values(locale="de"))
        for width in {width for width, _ in views} | {360, 384, 385, 412}:
            for page_path in (site.link, path):
                async with site.page(width=width) as page:
                    await page.goto(site.url + page_path)
                    assert set(await page.evaluate(lines)) == {1}, (display, width)
                    assert await overflow(page) <= 0


async def test_both_pages_are_light_and_useful_without_a_script(
    site: Site, context: AppContext, code: Code
) -> None:
    for path, shown in (
        (site.link, "a[href^='https://wa.me/']"),
        (await friend_path(context, code), "a[href*='discount=']"),
    ):
        async with site.page(script=False) as page:
            sent = await weights(page, site.url + path)
            assert sum(sent) <= 15 * 1024, sent
            assert await page.is_visible(shown)
            assert await page.is_visible(".code")
            assert not await page.is_visible("[data-copy]")
            assert await page.context.cookies() == []


async def test_the_link_is_copied_with_one_press(site: Site) -> None:
    async with site.page() as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto(site.url + site.link)
        await page.click("text=Copy link")
        await page.wait_for_selector("#said:has-text('Copied')", state="attached")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == await page.input_value("#share-link")
