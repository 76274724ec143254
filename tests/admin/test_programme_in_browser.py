"""A marketer's day in the programme, in a real browser: terms, a German text, the look."""

import pytest

from app.admin.rules import Role
from app.base.i18n import languages
from app.brands.find import load_programme
from app.messaging.templates import customer_templates
from tests.support.browser import needs_chromium, serve
from tests.support.dashboard import check_screen, dashboard_app, signed_in_page
from tests.support.staff import mails_to

PROGRAMME = "/admin/programme"
VIEWS = [(320, "light"), (390, "light"), (1440, "light"), (1440, "dark")]


@pytest.fixture
def app(context):
    return dashboard_app(context)


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
async def test_a_marketer_changes_the_terms_and_a_german_text_and_sees_the_mail(
    context, brand, shop, session, app, browser
):
    async with serve(app, browser) as site, signed_in_page(site, context, brand, Role.marketer) as page:
        await page.set_viewport_size({"width": 1440, "height": 900})
        await page.click(".wide nav >> text=Programme")
        await page.fill('[id="offer.friend_discount.percent"]', "20")
        await page.wait_for_selector("text=1 change, not saved.")
        friend = page.frame_locator("iframe >> nth=0")
        await friend.locator("h1", has_text="20%").wait_for()
        await page.select_option('[id="reward.kind"]', "none")
        await page.wait_for_selector("text=Ana gets our thanks.")
        assert not await page.is_visible('[id="reward.value.EUR"]'), "thanks have no amount"
        await page.click("text=Undo")
        await page.fill('[id="offer.friend_discount.percent"]', "20")
        await page.click("text=Save as version 2")
        await page.wait_for_selector("text=Saved as version 2.")
        assert (await load_programme(session, brand.id)).version == 2

        await page.click(".wide nav >> text=Messages")
        await page.click("main >> text=Offer")
        await page.click("main >> text=German")
        await page.fill('[id="block.intro"]', "wie schön, dass du da bist.")
        await page.wait_for_selector("text=1 text changed, not saved.")
        mail = page.frame_locator('iframe[title="The e-mail on a desktop"]')
        await mail.locator("text=wie schön, dass du da bist.").wait_for()
        await mail.locator("h1", has_text="20").wait_for()
        await page.check(".views >> text=Text message")
        assert await page.is_visible(".bubble")
        assert not await page.is_visible('iframe[title="The e-mail on a desktop"]')
        await page.click(".save button:not([name])")
        await page.wait_for_selector("text=Messages from now on have these texts.")
        await page.click("text=Send me a sample")
        await page.wait_for_selector("text=goes to marketer@example.com")
        (got,) = await mails_to(context, "marketer@example.com")
        assert "wie schön, dass du da bist." in got.html
        assert "20 %" in got.text.replace("\u00a0", " ")

        await page.click(".wide nav >> text=Look")
        await page.fill("#accent", "#ffcc00")
        await page.wait_for_selector("text=too little to read")
        dark = page.locator('iframe[title="Survey, dark"]')
        await dark.scroll_into_view_if_needed()
        body = page.frame_locator('iframe[title="Survey, dark"]').locator("body")
        await body.wait_for()
        assert await body.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        await page.click("text=everywhere")
        await page.click(".save button:not([name])")
        await page.wait_for_selector("text=Pages and mails look so from now on.")


@pytest.mark.browser
@pytest.mark.slow(seconds=25)
@needs_chromium
async def test_the_programme_works_without_a_script_and_is_accessible(
    context, brand, shop, session, app, browser
):
    screens = {
        "terms": "/terms",
        "terms_versions": "/terms/versions",
        "messages": "/messages",
        "message": "/messages/offer?language=de",
        "look": "/look",
    }
    async with serve(app, browser) as site, signed_in_page(site, context, brand, Role.marketer) as page:
        for name, path in screens.items():
            await check_screen(page, site.url + PROGRAMME + path, name, VIEWS)
        for spec in customer_templates():
            for language in languages():
                base = f"{site.url}{PROGRAMME}/messages/{spec.name}"
                for part in ("", "/frame", "/versions"):
                    shown = await page.context.request.get(f"{base}{part}?language={language}")
                    assert shown.status == 200, (spec.name, language, part)
        state = await page.context.storage_state()
        plain = await browser.new_context(java_script_enabled=False, storage_state=state)
        without = await plain.new_page()
        await without.goto(site.url + PROGRAMME + "/terms")
        await without.fill('[id="reward.hold_days"]', "30")
        await without.click("button >> text=Preview")
        assert await without.is_visible("text=1 change, not saved.")
        assert await without.is_visible("text=Was 14 days")
        await plain.close()
