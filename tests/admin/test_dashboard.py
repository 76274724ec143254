"""The dashboard's frame and its screens: over HTTP, and in a real Chromium."""

import gzip
import random
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from inspect import signature
from typing import get_args

import pytest
from fastapi.params import Depends

from app.admin.dashboard import screens
from app.admin.dashboard.access import ForViewer, MarketerWriter, screen_router
from app.admin.dashboard.flash import COOKIE, Tone
from app.admin.dashboard.menu import MENU, shown_menu
from app.admin.icons import icon
from app.admin.rules import Role, includes, own_path
from app.admin.views.chart import Point, line_chart
from app.admin.views.period import dated_path
from app.base import clock
from app.base.actor import cli_actor
from app.base.ids import new_id, public_id
from app.base.web.stylesheets import dashboard_stylesheet_url
from app.brands.add import add_brand, add_shop
from app.insight.changes import count_p, rate_p
from app.insight.periods import Period, read_period
from app.messaging.rules import MessageStatus
from app.referrals.rules import RedemptionStatus
from app.surveys.templates import SURVEY
from tests.support.browser import needs_chromium, serve
from tests.support.dashboard import browser_of, check_screen, dashboard_app, sign_in_as, signed_in_page
from tests.support.factories.rows import START
from tests.support.forms import send_form


@pytest.fixture
def app(context):
    return dashboard_app(context)


@pytest.fixture
async def client(app):
    async with browser_of(app) as client:
        yield client


def test_every_screen_names_the_role_it_needs():
    unnamed = []
    for route in screens.ROUTES:
        names = {
            getattr(each.dependency, "__name__", "")
            for parameter in signature(route.endpoint, eval_str=True).parameters.values()
            for each in get_args(parameter.annotation)
            if isinstance(each, Depends)
        }
        wants = [
            each.dependency
            for parameter in signature(route.endpoint, eval_str=True).parameters.values()
            for each in get_args(parameter.annotation)
            if isinstance(each, Depends) and hasattr(each.dependency, "wants")
        ]
        is_outbox = "_reader" in names
        writes = route.methods - {"GET", "HEAD"}
        if not (wants or is_outbox) or (writes and not any(hasattr(each, "writes") for each in wants)):
            unnamed.append(route.path)
    assert unnamed == []


def test_each_role_includes_those_before_it():
    assert [[includes(role, wanted) for wanted in Role] for role in Role] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]


def test_the_menu_shows_what_is_served_and_allowed():
    everything = {part.path for entry in MENU for part in (entry, *entry.parts)}
    names = [entry.name for entry in shown_menu(everything, Role.admin, "ledger", {})]
    assert names == [
        "Overview",
        "Answers",
        "Referrers",
        "Friends’ orders",
        "Rewards",
        "Programme",
        "Settings",
    ]
    rewards = shown_menu(everything, Role.admin, "ledger", {})[4]
    assert [(part.name, part.is_current) for part in rewards.parts] == [("Balances", False), ("Ledger", True)]
    assert rewards.is_current
    assert "Settings" not in [entry.name for entry in shown_menu(everything, Role.viewer, "overview", {})]
    assert [entry.name for entry in shown_menu({"/admin"}, Role.admin, "overview", {})] == ["Overview"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/admin", True),
        ("/admin/customers/cus_x?shop=de&days=7", True),
        ("/outbox/att_x", True),
        ("/administrator", False),
        ("//evil.example/admin", False),
        ("https://evil.example/admin", False),
        ("/admin\\..\\x", False),
        ("/admin\r\nSet-Cookie: x", False),
        ("/s/token", False),
        ("", False),
    ],
)
def test_signing_in_leads_to_pages_of_the_dashboard_alone(path, allowed):
    assert own_path(path) == (path if allowed else "")


async def test_a_page_asked_for_without_a_session_is_opened_after_signing_in(client):
    asked = await client.get("/admin?days=7&shop=de")
    assert asked.status_code == 401
    assert 'name="back_to" value="/admin?days=7&amp;shop=de"' in asked.text


def forms_app(context):
    """The dashboard with a form of its own."""
    app = dashboard_app(context)
    router = screen_router()

    @router.post("/sample")
    async def save(writer: MarketerWriter):
        frame, form = writer
        return frame.redirect("/admin", f"Saved {form.text('name')}.", Tone.done)

    @router.get("/sample")
    async def sample(frame: ForViewer):
        return frame.page("admin/person.html", "x", {})

    app.include_router(router)
    return app


async def test_a_form_needs_its_role_and_our_own_page_and_its_message_is_shown_once(context, brand, shop):
    async with browser_of(forms_app(context)) as client:
        await sign_in_as(client, context, brand, Role.viewer)
        refused = await send_form(client, "/admin", "/admin/sample", {"name": "x"})
        assert refused.status_code == 403
        assert "It needs the role marketer; yours is viewer." in refused.text
        await sign_in_as(client, context, brand, Role.admin)
        foreign = await client.post("/admin/sample", headers={"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
        assert "another site" in foreign.text
        assert "earlier session" in (await client.post("/admin/sample", data={"name": "x"})).text
        assert (await send_form(client, "/admin", "/admin/sample", {"name": "\0"})).status_code == 422
        saved = await send_form(client, "/admin", "/admin/sample", {"name": " <Mug> "})
        assert saved.status_code == 303
        assert COOKIE in client.cookies
        shown = await client.get("/admin")
        assert "Saved &lt;Mug&gt;." in shown.text
        assert COOKIE not in client.cookies
        assert "Saved" not in (await client.get("/admin")).text
        client.cookies.set(COOKIE, context.tokens.seal(f"{new_id()}\ndone\nOf somebody else"))
        assert "somebody else" not in (await client.get("/admin")).text


async def test_who_may_not_open_a_screen_reads_whom_to_ask(context, brand, shop, app, client):
    await sign_in_as(client, context, brand, Role.admin)
    await sign_in_as(client, context, brand, Role.viewer)
    refused = await client.get("/outbox")
    assert refused.status_code == 403
    assert "It needs the role support; yours is viewer." in refused.text
    assert "mailto:admin@example.com" in refused.text


async def test_the_shop_stays_in_the_address_and_nothing_really_sent_is_said(
    context, brand, shop, session, rows, client
):
    await rows.answer(10)
    await add_shop(session, context.tokens, brand, "second", name="Second", actor=cli_actor(brand.id))
    await session.commit()
    await sign_in_as(client, context, brand)
    text = (await client.get(f"/admin?days=7&shop={shop.slug}")).text
    assert f'href="/admin?shop={shop.slug}"' in text
    assert "days=30" in text
    assert "Nothing is really sent" in text
    assert "administrator" in text
    assert (await client.get("/admin/nothing")).status_code == 404


def test_an_icon_has_no_text_and_no_colour_of_its_own():
    drawn = icon("overview")
    assert 'aria-hidden="true"' in drawn
    assert "stroke=" not in drawn
    with pytest.raises(KeyError):
        icon("nothing")


def test_a_change_that_chance_explains_is_told_from_one_that_it_does_not():
    assert count_p(0, 0) == 1
    assert count_p(10, 12) > 0.5
    assert count_p(100, 160) < 0.001
    # 60 of 200 beside 90 of 200: z = 3.0984, p = 0.00195.
    assert round(rate_p(60, 200, 90, 200), 5) == 0.00195
    assert rate_p(0, 0, 3, 9) == 1
    assert rate_p(5, 5, 7, 7) == 1


def test_a_figure_leads_to_its_rows_of_the_same_days():
    """Clocks change on 29 March; a list of answers names the last day, one of orders the next."""
    zone = "Europe/Berlin"
    month = read_period("2026-03-01", "2026-04-01", zone)
    answers, orders = "/admin/answers?band=promoter", "/admin/orders"
    assert dated_path(answers, month, zone) == f"{answers}&from=2026-03-01&to=2026-03-31"
    assert dated_path(orders, month, zone) == f"{orders}?from=2026-03-01&to=2026-04-01"
    assert dated_path(orders, read_period("2026-03-01", None, zone), zone) == f"{orders}?from=2026-03-01"
    noon = read_period("2026-03-01T12:00", "2026-04-01", zone)
    for path, period in ((orders, Period()), (orders, noon), ("/admin/rewards", month)):
        assert dated_path(path, period, zone) == path


async def test_a_new_brand_is_shown_its_first_steps(context, brand, shop, session, rows, client):
    await sign_in_as(client, context, brand)
    text = (await client.get("/admin")).text
    assert "Nothing to count yet" in text
    assert text.count('<li class="done"') == 1
    assert "Add your shop<span" in text
    assert "NPS" not in text
    await rows.answer(10)
    await session.commit()
    text = (await client.get("/admin")).text
    assert "Nothing to count yet" not in text
    assert "First steps, 2 of 6 done" in text


async def test_an_empty_period_explains_what_will_appear(context, brand, session, rows, client):
    await rows.answer(10)
    await session.commit()
    await sign_in_as(client, context, brand)
    for query in ("", "?days=7", "?days=1", "?days=x", "?from=2026-04-01&to=2026-05-01"):
        answer = await client.get(f"/admin{query}")
        assert answer.status_code == 200
        assert "No answers in this period" in answer.text
    assert "1 April to 1 May 2026" in answer.text
    assert "No answers in this period" not in (await client.get("/admin?days=all")).text
    assert (await client.get("/admin?from=soon")).status_code == 303


async def fill(rows):
    """Half a year of a small shop."""
    dice = random.Random(7)
    today = datetime.now(UTC).replace(hour=12, minute=0)
    for number in range(160):
        at = today - timedelta(days=number * 0.7)
        score = dice.choices([10, 9, 8, 7, 5, 0], [35, 25, 12, 8, 12, 8])[0]
        comment = dice.choice(
            [
                "Fast delivery, and the fit is as described.",
                None,
                "The box came open, but they sent another at once.",
                "<b>Great</b>",
            ]
        )
        happy = await rows.answer(
            score, answered_at=at, order={"placed_at": at - timedelta(days=4)}, comment=comment
        )
        if score < 9:
            continue
        code = await rows.code(happy.customer_id, happy.survey_id)
        for _ in range(dice.randrange(4)):
            await rows.visit(code)
        if dice.random() < 0.4:
            await rows.redemption(code, dice.choice([RedemptionStatus.approved, RedemptionStatus.pending]))


async def test_the_overview_shows_the_numbers_the_api_gives(context, brand, session, rows, client):
    for score in (10, 9, 9, 8, 3):
        await rows.answer(score, answered_at=clock.now(), comment="<script>alert(1)</script>")
    await session.commit()
    await sign_in_as(client, context, brand)
    text = (await client.get("/admin?days=7")).text
    assert '<span class="big">40</span>' in text
    assert "NPS, from 5 answers" in text
    assert "<script>alert" not in text
    assert "Ana Ito1" in text
    promoters = unescape(re.search(r'href="(/admin/answers\?band=promoter&amp;[^"]+)"', text)[1])
    assert (await client.get(promoters)).text.count("<li data-item>") == 3
    for role, shows in ((Role.viewer, False), (Role.support, True)):
        await sign_in_as(client, context, brand, role)
        page = (await client.get("/admin?days=7")).text
        assert ("Ana Ito1" in page) is shows


async def test_a_customers_page_shows_their_timeline(context, brand, session, rows, client):
    happy = await rows.answer(10, comment="Lovely <i>mug</i>")
    await session.commit()
    await sign_in_as(client, context, brand, Role.viewer)
    answer = await client.get(f"/admin/customers/{public_id('cus', happy.customer_id)}")
    assert answer.status_code == 200
    assert "Answered 10, a promoter: “Lovely &lt;i&gt;mug&lt;/i&gt;”" in answer.text
    assert "Ito" not in answer.text
    for unknown in (public_id("cus", new_id()), "cus_x", "x"):
        assert (await client.get(f"/admin/customers/{unknown}")).status_code == 404


async def test_another_brands_person_is_a_404(context, brand, session, rows, client):
    happy = await rows.answer(10)
    rival = await add_brand(session, "rival", name="Rival")
    await session.commit()
    await sign_in_as(client, context, rival)
    assert (await client.get(f"/admin/customers/{public_id('cus', happy.customer_id)}")).status_code == 404


def point(value, low=None, high=None):
    return Point("2 Mar", value, f"{value}", f"2 Mar: {value}", low, high)


def test_points_without_a_value_break_the_line_and_every_shape_is_inside():
    chart = line_chart([point(40, 20, 60), point(50, 30, 70), point(None), point(55, 35, 75)])
    assert chart is not None
    for drawing in chart.drawings:
        assert (len(drawing.dots), len(drawing.lines), len(drawing.bands)) == (3, 1, 2)
        assert [dot.is_last for dot in drawing.dots] == [False, False, True]
        assert all(0 <= dot.x <= drawing.width and 0 <= dot.y <= drawing.bottom for dot in drawing.dots)
        assert (drawing.values[0].text, drawing.values[-1].text) == ("0", "75")
    alone = line_chart([point(100)])
    assert alone is not None
    assert alone.drawings[0].lines == []
    for value, ticks in (
        (100, "25 50 75 100"),
        (33, "0 25 50 75"),
        (0, "0 25 50 75"),
        (-90, "-100 -75 -50 -25"),
    ):
        few = line_chart([point(value)])
        assert few is not None
        shown = [tick.text.replace("\N{MINUS SIGN}", "-") for tick in few.drawings[0].values]
        assert " ".join(shown) == ticks
    assert line_chart([point(None)]) is None
    assert line_chart([]) is None
    below = line_chart([point(-100), point(-100)])
    assert below is not None
    assert below.drawings[0].values[0].text == "\N{MINUS SIGN}100"


async def test_one_answer_is_too_few_to_say(context, brand, session, rows, client):
    await rows.answer(10, answered_at=clock.now())
    await session.commit()
    await sign_in_as(client, context, brand)
    text = (await client.get("/admin?days=7")).text
    assert "too few to say (1 of 30)" in text
    assert "with 95% certainty</p></div>" not in text


async def test_without_a_margin_there_is_no_return(context, brand, session, rows, client):
    happy = await rows.answer(10, answered_at=clock.now(), order={"placed_at": clock.now()})
    await rows.redemption(await rows.code(happy.customer_id, happy.survey_id))
    await session.commit()
    await sign_in_as(client, context, brand)
    text = (await client.get("/admin?days=7")).text
    assert "€4 revenue for each €1" in text
    assert "return at a margin" not in text
    page = "/admin/referrers"
    await sign_in_as(client, context, brand, Role.marketer)
    for entered in ("101", "x"):
        await send_form(client, page, f"{page}/margin", {"margin": entered})
        assert "A margin is a whole number from 1 to 100." in (await client.get(page)).text
    await send_form(client, page, f"{page}/margin", {"margin": "50 %"})
    assert "Saved. Profits follow" in (await client.get(page)).text
    text = (await client.get("/admin?days=7")).text
    assert "100% return at a margin of 50%" in text


async def test_handed_over_is_not_called_delivered(context, brand, session, rows, client):
    person = await rows.customer()
    survey = await rows.survey(await rows.order(person, placed_at=clock.now()))
    message = await rows.message(
        SURVEY, person.id, survey.id, status=MessageStatus.accepted, created_at=clock.now()
    )
    await session.commit()
    await sign_in_as(client, context, brand)
    text = (await client.get("/admin?days=7")).text
    assert "0 of 1 sent" in text
    assert "Surveys accepted for delivery" in text
    assert "elivered" not in text
    message.status = MessageStatus.delivered
    await session.commit()
    text = (await client.get("/admin?days=30")).text
    assert "0 of 1 delivered" in text
    assert "Surveys delivered" in text


@pytest.mark.browser
@pytest.mark.slow(seconds=60)
@needs_chromium
async def test_screens_are_accessible_and_fit_every_width(context, brand, session, rows, app, browser, views):
    await fill(rows)
    happy = await rows.answer(10, answered_at=START, comment="Lovely")
    held = await rows.redemption(
        await rows.code(happy.customer_id, happy.survey_id), RedemptionStatus.in_review
    )
    new = await add_brand(session, "new", name="Fresh Start")
    await session.commit()
    person = f"/admin/customers/{public_id('cus', happy.customer_id)}"
    screens = {
        "overview": "/admin",
        "orders": "/admin/orders",
        "order": f"/admin/orders/{public_id('red', held.id)}",
        "person": person,
        "erase": f"{person}/erase",
        "search": "/admin/search?q=nobody",
        "system": "/admin/system",
        "outbox": "/outbox",
        "gallery": "/admin/gallery",
    }
    async with serve(app, browser) as site:
        async with site.page() as page:
            await check_screen(page, site.url + "/admin", "sign_in", views)
        async with signed_in_page(site, context, new) as page:
            await check_screen(page, site.url + "/admin", "overview_empty", views)
        async with signed_in_page(site, context, brand) as page:
            refused = []
            page.on(
                "console",
                lambda message: refused.append(message.text) if "Content Security" in message.text else None,
            )
            for name, path in screens.items():
                await check_screen(page, site.url + path, name, views)
            first_load = await (await page.context.request.get(site.url + "/admin")).body()
            sheet = await (await page.context.request.get(site.url + dashboard_stylesheet_url())).body()
            script = await (await page.context.request.get(site.url + "/static/dashboard.js")).body()
            # The page itself is not compressed on its way: a cookie opens it.
            assert len(first_load) + len(gzip.compress(sheet)) + len(gzip.compress(script)) < 60 * 1024
            assert refused == []


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
async def test_keys_and_questions_work_and_the_menu_opens_without_a_script(
    context, brand, session, rows, app, browser
):
    await rows.answer(10)
    await session.commit()
    async with serve(app, browser) as site, signed_in_page(site, context, brand) as page:
        await page.goto(site.url + "/admin")
        await page.keyboard.press("w")
        await page.wait_for_url("**/admin?days=7")
        await page.keyboard.press("?")
        assert await page.is_visible("dialog#keys")
        assert "7 days" in await page.inner_text("dialog#keys")
        await page.keyboard.press("Escape")
        await page.goto(site.url + "/admin/gallery")
        await page.click("a[data-dialog=replace]")
        assert await page.evaluate("document.querySelector('dialog#replace').matches(':modal')")
        await page.click("dialog#replace [data-close]")
        assert not await page.is_visible("dialog#replace")
        state = await page.context.storage_state()
        plain = await browser.new_context(
            java_script_enabled=False, storage_state=state, viewport={"width": 390, "height": 844}
        )
        without = await plain.new_page()
        await without.goto(site.url + "/admin/gallery")
        assert not await without.is_visible("nav.nav")
        await without.click("summary.menu")
        assert await without.is_visible("details[open] nav.nav")
        await without.click("a[data-dialog=replace]")
        assert await without.is_visible("dialog#replace")
        await plain.close()
