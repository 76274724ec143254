"""Mails as a real Chromium lays them out: keys large enough for a thumb, nothing to scroll
sideways, readable in the dark."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page

from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.templates import TemplateSpec, registered
from app.messaging.versions import Branding, branding_of
from app.referrals.templates import OFFER
from app.surveys.templates import SURVEY
from tests.support.browser import needs_chromium, violations
from tests.support.rendering import LOOK, item, rendered

pytestmark = [pytest.mark.browser, needs_chromium]


@asynccontextmanager
async def shown(
    browser: Browser, template: TemplateSpec, width: int, scheme: str, look: Branding = LOOK
) -> AsyncIterator[Page]:
    """A page that shows the e-mail and has loaded nothing from anywhere."""
    context = await browser.new_context(
        viewport={"width": width, "height": 740},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = await context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.set_content(rendered(item(template, Channel.email, look=look)).html)
    assert requests == []
    yield page
    await context.close()


@pytest.mark.parametrize("width", [320, 360, 600])
async def test_the_eleven_score_buttons_are_large_enough_to_tap(browser: Browser, width: int) -> None:
    async with shown(browser, SURVEY, width, "light") as page:
        boxes = [await key.bounding_box() for key in await page.locator('a[href*="score="]').all()]
    assert len(boxes) == 11
    for box in boxes:
        assert box is not None
        assert box["width"] >= 40
        assert box["height"] >= 40
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    rows = {round(box["y"]) for box in boxes if box}
    assert len(rows) == (1 if width == 600 else 2), "on a phone, 0-5 and 6-10 are in two rows"


@pytest.mark.slow
@pytest.mark.parametrize("template", registered(), ids=lambda spec: spec.name)
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (320, "dark"), (600, "light"), (600, "dark")])
async def test_every_mail_is_accessible_and_fits_the_window(
    browser: Browser, template: TemplateSpec, width: int, scheme: str
) -> None:
    async with shown(browser, template, width, scheme) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await violations(page, tags=["wcag2a", "wcag2aa"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("accent", ["#ffcc00", "#0a1f44", "#ffffff", "#777777"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_mail_can_be_read_in_any_brands_colour(browser: Browser, accent: str, scheme: str) -> None:
    brand = Brand(id=1, slug="a", name="Acme", postal_address="1 Main St", branding={"accent": accent})
    look = branding_of(brand, Shop(name="Acme"), "https://nps.example")
    async with shown(browser, OFFER, 390, scheme, look) as page:
        assert await violations(page, tags=["wcag2a", "wcag2aa"]) == []
