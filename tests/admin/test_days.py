"""A day of each role in a real browser, from the overview to what it came for."""

import pytest
from playwright.async_api import Page
from sqlalchemy import select

from app.admin import bulk_sweep
from app.admin.rules import Role
from app.base import clock
from app.base.due import sweep_once
from app.messaging.models import Message
from app.referrals.figures import note_changes, refresh_figures
from app.referrals.rules import RedemptionStatus
from tests.support.browser import needs_chromium, serve
from tests.support.dashboard import dashboard_app, signed_in_page
from tests.support.factories.rows import Rows

pytestmark = [pytest.mark.slow, needs_chromium]
MOST_PRESSES = 150
_FOCUSED = """() => {
    const it = document.activeElement, style = getComputedStyle(it)
    const name = it.getAttribute('aria-label') || it.labels?.[0]?.innerText || it.innerText || it.value || ''
    const seen = style.outlineStyle !== 'none' || style.boxShadow !== 'none'
    return [it === document.body ? '' : name.trim(), seen]
}"""


async def reach(page: Page, name: str) -> None:
    """Press Tab until what is focused has this name; each place on the way shows its focus."""
    passed = []
    for _ in range(MOST_PRESSES):
        await page.keyboard.press("Tab")
        found, is_seen = await page.evaluate(_FOCUSED)
        assert is_seen or not found, f"{found} does not show that it is focused"
        if found.startswith(name):
            return
        passed.append(found)
    raise AssertionError(f"{name} is not reached, but {passed}")


async def press(page: Page, name: str) -> None:
    """Reach a link or a button, and follow it with Enter."""
    await reach(page, name)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def test_support_finds_a_reason_and_replies_by_the_keyboard_alone(
    context, session, browser, brand, shop
):
    rows = Rows(session, brand, shop)
    referrer = await rows.customer(first_name="Lea", last_name="Weiss", email="lea@example.com")
    happy = await rows.answer(10, customer=referrer)
    code = await rows.code(referrer.id, happy.survey_id)
    await rows.redemption(code, RedemptionStatus.refused, number="HP-7")
    low = await rows.answer(2, comment="Too late for the birthday")
    await session.commit()
    async with (
        serve(dashboard_app(context), browser) as site,
        signed_in_page(site, context, brand, Role.support) as page,
    ):
        await page.set_viewport_size({"width": 1440, "height": 900})
        await page.keyboard.press("/")
        await page.keyboard.type("lea@example.com")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        await press(page, "HP-7")
        assert "minimum" in await page.inner_text("main")
        await press(page, "Answers")
        assert "Too late for the birthday" in await page.inner_text("main")
        await reach(page, "Your words")
        await page.keyboard.type("We are sorry. A new one is on its way.")
        await press(page, "Preview the reply")
        assert "A new one is on its way." in await page.inner_text("pre")
        await press(page, "Send it")
        assert "/admin/answers" in page.url
    reply = (await session.scalars(select(Message).where(Message.template == "reply"))).one()
    assert reply.customer_id == low.customer_id


async def test_a_marketer_approves_ten_orders_replaces_a_leaked_code_and_takes_a_list(
    context, session, browser, brand, shop
):
    rows = Rows(session, brand, shop)
    happy = await rows.answer(10)
    code = await rows.code(happy.customer_id, happy.survey_id)
    held = [await rows.redemption(code, RedemptionStatus.in_review, placed_at=clock.now()) for _ in range(10)]
    await note_changes(session, brand.id, [code.referrer_id])
    await session.commit()
    await refresh_figures(session, brand.id, now=clock.now())
    await session.commit()
    async with (
        serve(dashboard_app(context), browser) as site,
        signed_in_page(site, context, brand, Role.marketer) as page,
    ):
        await page.set_viewport_size({"width": 1440, "height": 900})
        await page.click(".wide nav >> text=Friends’ orders")
        await page.click("text=To decide")
        await page.click("text=Let all of these count")
        assert "Let 10 orders count?" in await page.inner_text("h1")
        await page.click("text=Let them count")
        await sweep_once(bulk_sweep.sweep(context), clock.now())
        await page.reload()
        assert "10" in await page.inner_text("main")
        await page.click(".wide nav >> text=Referrers")
        await page.click(".wide nav >> text=Codes")
        await page.click(f"text={code.display}")
        await page.click("text=Replace it")
        assert "Replaced." in await page.inner_text("main")
        await page.click(".wide nav >> text=Settings")
        async with page.expect_download() as download:
            await page.click("text=CSV of Friends’ orders")
        file = await (await download.value).path()
        assert len(file.read_text().splitlines()) >= 1 + len(held)
    for each in held:
        await session.refresh(each)
    assert {each.status for each in held} == {RedemptionStatus.approved}
