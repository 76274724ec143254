"""The customers' pages in a real Chromium: nothing scrolls sideways, nobody is shut out, and they
are light."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import unquote

import pytest
from aiohttp.web import Request
from sqlalchemy import update

from app.base import clock
from app.base.due import run_until_idle
from app.base.web.lookup_limit import LookupRateLimit
from app.brands.models import Brand
from app.brands.rules import ImageKind
from app.customers.models import Customer
from app.customers.routes import router as customers_router
from app.referrals.publishing.sweep import urgent_sweep
from app.surveys.routes import router
from tests.support.browser import (
    SCREENSHOTS,
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
from tests.support.connected_shop import connected_shop
from tests.support.factories.looks import Look, dress
from tests.support.factories.programme import set_terms
from tests.support.factories.surveys import responses_of, sent_survey

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture
async def site(context, brand, shop, browser) -> AsyncIterator[Site]:
    """The pages of surveys, with one survey that was sent."""
    survey = await sent_survey(context, brand, shop)
    link = f"/s/{context.tokens.link('survey', brand.id, survey.id)}"
    async with serve(app_of(context, router), browser, link) as site:
        yield site


async def answer(site: Site, score: int, comment: str = "") -> None:
    async with site.page() as page:
        await page.goto(f"{site.url}{site.link}?score={score}")
        await page.fill("#comment", comment)
        await page.click("button")
        await page.wait_for_url("**/thanks")


YELLOW = Look("#ffcc00", None, ((ImageKind.logo, "#1e1500", (96, 96)),))
BLUE = Look(
    "#0a1f44",
    "serif",
    (
        (ImageKind.logo, "#0a1f44", (320, 90)),
        (ImageKind.logo_dark, "#dfe8ff", (320, 90)),
        (ImageKind.picture, "#7c98b3", (960, 720)),
    ),
)


def diagonal(views: list[View]) -> list[View]:
    """Each width once, each colour scheme twice."""
    return [view for place, view in enumerate(views) if place in {0, 3, 4, 7}]


@pytest.mark.parametrize("look", [YELLOW, BLUE], ids=["yellow", "blue"])
async def test_pages_of_a_brand_with_a_look_of_its_own_are_accessible(context, brand, site, views, look):
    await dress(context, brand, look)
    views = [(width, scheme) for width, scheme in views if width in (390, 1440)]
    await check_page(site, f"survey_{look.accent[1:]}", f"{site.link}?score=9", views)
    await answer(site, 10)
    await check_page(site, f"thanks_{look.accent[1:]}", f"{site.link}/thanks", views)


async def test_the_survey_page_is_accessible(site, views):
    await check_page(site, "survey", site.link, views)


async def test_a_survey_with_a_chosen_score_is_accessible(site, views):
    await check_page(site, "survey_chosen", f"{site.link}?score=9", views)


async def test_an_answered_survey_is_accessible(site, views):
    await answer(site, 6, "The sleeves are a little short.")
    await check_page(site, "survey_answered", site.link, views)
    await check_page(site, "thanks_detractor", f"{site.link}/thanks", views)


async def test_a_passives_thanks_page_is_accessible(site, views):
    await answer(site, 7)
    await check_page(site, "thanks_passive", f"{site.link}/thanks", diagonal(views))


async def test_pages_about_unsubscribing_are_accessible(context, brand, shop, browser, views):
    survey = await sent_survey(context, brand, shop)
    link = f"/u/{context.tokens.link('unsubscribe', brand.id, survey.customer_id)}"
    async with serve(app_of(context, customers_router), browser, link) as site:
        await check_page(site, "unsubscribe", link, diagonal(views))
        async with site.page() as page:
            await page.goto(site.url + link)
            await page.click("button")
            assert await page.is_visible("text=You are unsubscribed")
            assert await violations(page) == []
        await check_page(site, "unsubscribed", link, diagonal(views))


async def test_a_promoters_thanks_page_is_accessible(site, views):
    await answer(site, 10)
    await check_page(site, "thanks_promoter", f"{site.link}/thanks", views)


async def test_a_closed_survey_is_accessible(context, brand, site, views):
    await set_terms(context, brand, {"survey": {"change_minutes": 0}})
    await answer(site, 8)
    await check_page(site, "survey_closed", site.link, views)


async def test_the_not_found_and_rate_limit_pages_are_accessible(site, views):
    await check_page(site, "not_found", "/s/nothing", views, status=404)
    site.app.state.lookup_limit = LookupRateLimit(per_address=1)
    async with site.page() as page:
        await page.goto(f"{site.url}/s/nothing")
    await check_page(site, "rate_limited", "/s/nothing", views, status=429)


@pytest.mark.slow
async def test_names_from_right_to_left_turn_no_sentence_around(context, brand, shop, site):
    name, comment = (
        "\u0645\u062a\u062c\u0631 \u0627\u0644\u0648\u0631\u062f",
        "\u0627\u0644\u0642\u0645\u0627\u0634 \u062c\u0645\u064a\u0644",
    )
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(name=name))
        await session.execute(update(Customer).values(first_name="\u0644\u064a\u0644\u0649"))
    async with site.page(width=320) as page:
        await page.goto(f"{site.url}{site.link}?score=10")
        await page.fill("#comment", comment)
        assert await direction(page, "#comment") == "rtl"
        assert await direction(page, "h1") == "ltr"
        # A name that begins the sentence stands at the left, though its own letters go to the left.
        begin = await page.evaluate(
            """() => {
              const text = document.querySelector('.sign').firstChild, range = document.createRange();
              const box = (from, to) => (range.setStart(text, from), range.setEnd(text, to), range.getBoundingClientRect());
              return [box(1, 2).left, box(text.length - 1, text.length).left];
            }"""
        )
        assert begin[0] < begin[1]
        assert await overflow(page) <= 0
        assert await violations(page) == []
        if SCREENSHOTS:
            await page.screenshot(path=f"{SCREENSHOTS}/survey_arabic_320.png", full_page=True)
        await page.click("button")
        await page.wait_for_url("**/thanks")
        assert await direction(page, "h1") == "ltr"
        assert await overflow(page) <= 0
        assert await violations(page) == []
        if SCREENSHOTS:
            await page.screenshot(path=f"{SCREENSHOTS}/thanks_arabic_320.png", full_page=True)


async def direction(page, selector):
    return await page.evaluate("one => getComputedStyle(document.querySelector(one)).direction", selector)


async def test_forced_colours_leave_borders_and_the_chosen_key(site):
    styles = """() => [...document.querySelectorAll('.key span, textarea, .button, .ticket')]
        .filter(one => one.checkVisibility()).map(one => {
          const style = getComputedStyle(one);
          return [one.className || one.tagName, style.borderTopStyle, parseFloat(style.borderTopWidth), style.backgroundColor];
        })"""
    async with site.page() as page:
        await page.emulate_media(forced_colors="active")
        await page.goto(f"{site.url}{site.link}?score=9")
        found = await page.evaluate(styles)
        assert len(found) == 13
        assert [each for each in found if each[1] != "solid" or each[2] < 1] == []
        fills = [each[3] for each in found[:11]]
        assert fills.count(fills[9]) == 1, "the chosen key alone is filled"
        assert await page.evaluate("getComputedStyle(document.querySelector('.key input')).opacity") == "0"
        if SCREENSHOTS:
            await page.screenshot(path=f"{SCREENSHOTS}/survey_forced.png", full_page=True)
        await page.click("button")
        await page.wait_for_url("**/thanks")
        found = await page.evaluate(styles)
        assert [each for each in found if each[1] != "solid" or each[2] < 1] == []
        assert "ticket" in [each[0] for each in found]
        if SCREENSHOTS:
            await page.screenshot(path=f"{SCREENSHOTS}/thanks_forced.png", full_page=True)


async def test_a_survey_weighs_little_and_needs_neither_script_nor_cookie(context, brand, site):
    await dress(context, brand, YELLOW)
    async with site.page(script=False) as page:
        sent = await weights(page, site.url + site.link)
        assert len(sent) == 2, "the page with its stylesheet, the logo"
        assert sum(sent) <= 8 * 1024, sent
        await page.check("input[value='10']", force=True)
        await page.click("button")
        await page.wait_for_url("**/thanks")
        assert await page.context.cookies() == []
        # Without a script the link is there to be selected, and buttons that cannot work are not.
        assert await page.is_visible("#share-link")
        assert not await page.is_visible("[data-copy]")


async def test_the_link_is_copied_with_one_press(site):
    await answer(site, 9)
    async with site.page() as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto(f"{site.url}{site.link}/thanks")
        await page.click("text=Copy link")
        await page.wait_for_selector("#said:has-text('Copied')", state="attached")
        assert await page.evaluate("navigator.clipboard.readText()") == await page.input_value("#share-link")


async def slow(_request: Request) -> None:
    """A shop that takes its time for each call."""
    await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_a_code_that_the_shop_does_not_know_yet_appears_by_itself_once_it_does(context, brand, browser):
    async with connected_shop(context, brand) as fern:
        fern.fake.intercept = slow
        survey = await sent_survey(fern.context, brand, fern.shop)
        link = f"/s/{context.tokens.link('survey', brand.id, survey.id)}"
        async with serve(app_of(fern.context, router), browser, link) as site:
            await answer(site, 10)
            async with site.page() as page, site.page(script=False) as plain:
                for each in (page, plain):
                    await each.goto(f"{site.url}{link}/thanks")
                    assert "takes a moment" in await each.inner_text(".notice")
                    assert await each.query_selector(".code") is None
                assert not await page.is_visible("[data-later]")
                await plain.click("text=Show my code")
                assert await plain.is_visible(".notice"), "it is not there yet"
                assert await violations(page) == []

                await page.focus("#share-link")
                await run_until_idle([urgent_sweep(fern.context)], clock.now())
                await page.wait_for_selector(".code")
                code = await page.inner_text(".code")
                assert (await page.inner_text("#said")) == f"Your code is here: {code}"
                assert await page.query_selector(".notice") is None
                assert await page.evaluate("document.activeElement.id") == "share-link"
                for words in (".bubble", ".steps"):
                    assert "code" in await page.inner_text(words)
                chat = await page.get_attribute("[data-now=chat]", "href")
                assert code in unquote(chat or "")
                await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
                await page.click(".ticket [data-copy]")
                assert await page.evaluate("navigator.clipboard.readText()") == code
                assert await violations(page) == []
                await plain.click("text=Show my code")
                assert await plain.inner_text(".code") == code
                if SCREENSHOTS:
                    await page.screenshot(path=f"{SCREENSHOTS}/thanks_live.png", full_page=True)


async def test_a_survey_is_answered_by_keyboard_alone(context, brand, site):
    async with site.page() as page:
        await page.goto(site.url + site.link)
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.name") == "score"
        await page.keyboard.press("Space")
        for _ in range(9):
            await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Good.")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/thanks")
    assert [(one.score, one.comment) for one in await responses_of(context, brand)] == [(9, "Good.")]


async def test_a_missing_score_is_reported_where_the_browser_does_not(site):
    async with site.page(width=320) as page:
        await page.goto(site.url + site.link)
        await page.evaluate("document.querySelector('form').noValidate = true")
        await page.click("button")
        await page.wait_for_selector("[role=alert]")
        assert await violations(page) == []
        assert await overflow(page) <= 0
        if SCREENSHOTS:
            await page.screenshot(path=f"{SCREENSHOTS}/survey_missing_320.png", full_page=True)


async def test_long_names_break_and_do_not_push_the_page_wide(context, brand, shop, site):
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(name=long, postal_address=long * 2))
    async with site.page(width=320) as page:
        await page.goto(site.url + site.link)
        assert await overflow(page) <= 0
