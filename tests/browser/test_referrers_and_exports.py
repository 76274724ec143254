"""How the screens of referrers, codes and exports look: with an empty brand, and with rows."""

import pytest

from app.base import clock
from app.base.ids import public_id
from app.brands.add import add_brand
from app.referrals.figures import note_changes, refresh_figures
from app.referrals.rules import RedemptionStatus
from tests.support.browser import needs_chromium, serve
from tests.support.dashboard import check_screen, dashboard_app, signed_in_page
from tests.support.factories.rows import Rows

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]


async def fill(rows, session, brand):
    """A leaked code, a refund, names of all lengths; returns the leaked code."""
    codes = []
    for name in ("Ana", "Maximiliane-Charlotte Ottilie", "Yu", None):
        person = await rows.customer(first_name=name)
        happy = await rows.answer(10, customer=person)
        codes.append(await rows.code(happy.customer_id, happy.survey_id))
    for number, code in enumerate(codes):
        for _ in range(5 - number):
            await rows.redemption(code, placed_at=clock.now())
        for _ in range(7 * number):
            await rows.visit(code)
    await rows.redemption(codes[3], RedemptionStatus.refused, placed_at=clock.now())
    await note_changes(session, brand.id, [code.referrer_id for code in codes])
    await session.commit()
    await refresh_figures(session, brand.id, now=clock.now())
    await session.commit()
    return codes[0]


async def test_screens_of_referrers_and_exports_fit_a_phone_and_a_desk(
    context, brand, session, shop, browser
):
    brand.margin_percent = 22
    session.add(brand)
    code = await fill(Rows(session, brand, shop), session, brand)
    new = await add_brand(session, "new", name="Fresh Start")
    await session.commit()
    screens = {
        "referrers": "/admin/referrers",
        "codes": "/admin/codes",
        "code": f"/admin/codes/{public_id('cod', code.id)}",
        "exports": "/admin/settings/exports",
    }
    light, dark = [(390, "light")], [(1440, "dark")]
    async with serve(dashboard_app(context), browser) as site:
        async with signed_in_page(site, context, brand) as page:
            await page.context.request.get(site.url + "/admin/settings/exports/codes.jsonl")
            for name, path in screens.items():
                await check_screen(page, site.url + path, name, light + dark)
        async with signed_in_page(site, context, new) as page:
            for name in ("referrers", "codes", "exports"):
                await check_screen(page, site.url + screens[name], f"{name}_empty", light)
