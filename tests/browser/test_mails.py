"""Mails as a real Chromium lays them out: keys large enough for a thumb, nothing to scroll sideways, readable in the dark."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from app.brands.programme import Channel
from app.messaging.render import render
from app.messaging.rules import Template
from tests.messaging.test_render import LINKS, LOOK, item

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        await browser.close()


async def show(browser: Browser, template: Template, width: int, scheme: str) -> Page:
    page = await browser.new_page(viewport={"width": width, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.set_content(render(item(template, Channel.email), LOOK, LINKS).html)
    assert requests == []
    return page


@pytest.mark.parametrize("width", [320, 360, 600])
async def test_the_eleven_keys_fit_a_thumb(browser: Browser, width: int) -> None:
    page = await show(browser, Template.survey, width, "light")
    boxes = [await key.bounding_box() for key in await page.locator('a[href*="score="]').all()]
    assert len(boxes) == 11
    for box in boxes:
        assert box is not None
        assert box["width"] >= 40
        assert box["height"] >= 40
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    rows = {round(box["y"]) for box in boxes if box}
    assert len(rows) == (1 if width == 600 else 2), "0-5 and 6-10 stand below each other on a phone"


@pytest.mark.parametrize("template", Template)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_mail_is_readable_at_every_width(
    browser: Browser, template: Template, scheme: str
) -> None:
    for width in (320, 600):
        page = await show(browser, template, width, scheme)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        found = await Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})
        assert found.violations_count == 0, found.generate_report()
        await page.close()
