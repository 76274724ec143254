"""The customers' pages in a real Chromium: nothing scrolls sideways, nobody is shut out, and they are light."""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.base import AXE_FILE_PATH
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright
from starlette.staticfiles import StaticFiles

from app.base.paths import ROOT
from app.base.web.lookup_limit import LookupRateLimit
from app.base.web.middleware import RequestMiddleware
from app.base.web.problems import install_problems
from app.surveys.routes import router
from tests.support.surveying import responses_of, sent_survey, set_terms

CHROMIUM = Path("/usr/bin/chromium")
SHOTS = os.environ.get("TENFOLD_SCREENSHOTS")
"""A directory to keep pictures of every page in, for who wants to look."""
AXE = Path(AXE_FILE_PATH).read_text()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@dataclass
class House:
    """A running web process with one survey that lies in a mailbox."""

    url: str
    link: str
    browser: Browser
    app: FastAPI

    @asynccontextmanager
    async def page(
        self, *, width: int = 390, scheme: str = "light", script: bool = True
    ) -> AsyncIterator[Page]:
        context = await self.browser.new_context(
            viewport={"width": width, "height": 844 if width < 800 else 800},
            color_scheme=scheme,
            java_script_enabled=script,
        )
        page = await context.new_page()
        try:
            yield page
        finally:
            await context.close()


@pytest.fixture
async def house(context, brand, shop) -> AsyncIterator[House]:
    survey = await sent_survey(context, brand, shop)
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
            f"/s/{context.tokens.link('survey', brand.id, survey.id)}",
            browser,
            app,
        )
        await browser.close()
    server.should_exit = True
    await running


async def answer(house: House, score: int, comment: str = "") -> None:
    async with house.page() as page:
        await page.goto(f"{house.url}{house.link}?score={score}")
        await page.fill("#comment", comment)
        await page.click("button")
        await page.wait_for_url("**/thanks")


async def violations(page: Page) -> list[str]:
    """What axe finds wrong; its script is put in past the page's own policy, which lets no foreign one in."""
    session = await page.context.new_cdp_session(page)
    await session.send("Runtime.evaluate", {"expression": AXE})
    found = await page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]


async def sideways(page: Page) -> int:
    return int(
        await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


async def small_targets(page: Page, least: int = 44) -> list[str]:
    """Buttons, keys and fields smaller than a finger; links inside a sentence are exempt."""
    return await page.evaluate(
        """least => [...document.querySelectorAll('button, .button, .key, textarea, input:not([type=hidden], .key input), .check')]
        .filter(one => one.checkVisibility() && !(one.matches('.check input')))
        .map(one => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
        .filter(([, box]) => box.height < least || box.width < least)
        .map(([html, box]) => `${html} ${box.width}x${box.height}`)""",
        least,
    )


async def check(house: House, name: str, path: str, *, status: int = 200) -> None:
    for width in (320, 390, 1280):
        for scheme in ("light", "dark"):
            async with house.page(width=width, scheme=scheme) as page:
                refused: list[str] = []
                page.on(
                    "console",
                    lambda message, refused=refused: (
                        refused.append(message.text) if "Content Security" in message.text else None
                    ),
                )
                page.on("pageerror", lambda error, refused=refused: refused.append(str(error)))
                hosts: set[str] = set()
                page.on(
                    "request",
                    lambda request, hosts=hosts: (
                        hosts.add(request.url.split("/")[2]) if "://" in request.url else None
                    ),
                )
                reply = await page.goto(house.url + path)
                assert reply is not None
                assert reply.status == status
                if SHOTS:
                    await page.screenshot(path=f"{SHOTS}/{name}_{width}_{scheme}.png", full_page=True)
                where = f"{name} {width} {scheme}"
                assert await sideways(page) <= 0, where
                assert await violations(page) == [], where
                assert await small_targets(page) == [], where
                assert refused == [], where
                assert hosts == {house.url.split("/")[2]}, where


async def test_the_survey_is_open_to_everybody(house):
    await check(house, "survey", house.link)


async def test_a_chosen_score_is_open_to_everybody(house):
    await check(house, "survey_chosen", f"{house.link}?score=9")


async def test_an_answered_survey_is_open_to_everybody(house):
    await answer(house, 6, "The sleeves are a little short.")
    await check(house, "survey_answered", house.link)
    await check(house, "thanks_detractor", f"{house.link}/thanks")


async def test_a_promoters_thanks_are_open_to_everybody(house):
    await answer(house, 10)
    await check(house, "thanks_promoter", f"{house.link}/thanks")


async def test_an_answer_that_stands_is_open_to_everybody(context, brand, house):

    await set_terms(context, brand, {"survey": {"change_minutes": 0}})
    await answer(house, 8)
    await check(house, "survey_closed", house.link)


async def test_the_missing_page_is_open_to_everybody(house):
    await check(house, "not_found", "/s/nothing", status=404)
    house.app.state.lookup_limit = LookupRateLimit(per_address=1)
    async with house.page() as page:
        await page.goto(f"{house.url}/s/nothing")
    await check(house, "slow_down", "/s/nothing", status=429)


async def test_a_survey_weighs_little_and_needs_neither_script_nor_cookie(house):
    async with house.page(script=False) as page:
        weights: list[int] = []

        async def weigh(response) -> None:
            weights.append(len(gzip.compress(await response.body())))

        page.on("response", weigh)
        await page.goto(house.url + house.link, wait_until="networkidle")
        page.remove_listener("response", weigh)
        assert len(weights) <= 3
        assert sum(weights) <= 8 * 1024, weights
        await page.check("input[value='10']", force=True)
        await page.click("button")
        await page.wait_for_url("**/thanks")
        assert await page.context.cookies() == []
        # Without a script the link is there to be selected, and buttons that cannot work are not.
        assert await page.is_visible("#share-link")
        assert not await page.is_visible("[data-copy]")


async def test_the_link_is_copied_with_one_press(house):
    await answer(house, 9)
    async with house.page() as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.goto(f"{house.url}{house.link}/thanks")
        await page.click("[data-copy]")
        await page.wait_for_selector("text=Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == await page.input_value("#share-link")


async def test_a_survey_is_answered_by_keyboard_alone(context, brand, house):
    async with house.page() as page:
        await page.goto(house.url + house.link)
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


async def test_the_missing_number_is_said_where_the_browser_does_not(house):
    async with house.page(width=320) as page:
        await page.goto(house.url + house.link)
        await page.evaluate("document.querySelector('form').noValidate = true")
        await page.click("button")
        await page.wait_for_selector("[role=alert]")
        assert await violations(page) == []
        assert await sideways(page) <= 0
        if SHOTS:
            await page.screenshot(path=f"{SHOTS}/survey_missing_320.png", full_page=True)


async def test_long_names_break_and_do_not_push_the_page_wide(context, brand, shop, house):
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    from sqlalchemy import update

    from app.brands.models import Brand

    async with context.sessions.begin() as session:
        await session.execute(update(Brand).values(name=long, postal_address=long * 2))
    async with house.page(width=320) as page:
        await page.goto(house.url + house.link)
        assert await sideways(page) <= 0
