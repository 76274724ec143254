"""Answers: what the team makes of them, by API and on their screen."""

import pytest
from sqlalchemy import select, text

from app.admin.models import Staff
from app.admin.rules import Role, Scope
from app.admin.staff import add_staff
from app.base import clock
from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.ids import new_id, public_id
from app.base.tokens import Subject
from app.customers.models import Customer
from app.ingest.erase import erase_rows
from app.insight.periods import Period
from app.insight.reasons import reasons
from app.surveys.models import ResponseEvent, ResponseTag
from app.surveys.respond import NewResponse, ResponseOutcome, record_response
from app.surveys.retain import brands_with_old_notes, delete_old_notes
from app.surveys.work_rules import WorkState, prefix_query, tag_names, work_state
from tests.support.browser import SCREENSHOTS, needs_chromium, overflow, serve, violations
from tests.support.dashboard import browser_of, check_screen, dashboard_app, sign_in_as, signed_in_page
from tests.support.forms import send_form
from tests.support.keys import api_of

PATH = "/admin/answers"


@pytest.fixture
async def api(context, brand):
    async with await api_of(context, brand, Scope.write, Scope.read, Scope.pii) as client:
        yield client


def shown(response):
    return public_id("rsp", response.id)


def test_detractors_wait_for_the_team_until_it_says_otherwise():
    assert work_state(None, 6, trial=False) is WorkState.open
    assert work_state(None, 6, trial=True) is None
    assert work_state(None, 7, trial=False) is None
    assert work_state(WorkState.closed, 0, trial=False) is WorkState.closed
    assert work_state(WorkState.open, 10, trial=False) is WorkState.open


def test_tags_are_clean_and_told_apart_without_case():
    assert tag_names([" Bag  open ", "bag OPEN", "", "\u200b", "Straße"]) == {
        "bag open": "Bag open",
        "strasse": "Straße",
    }


def test_a_query_of_words_cannot_be_anything_else():
    assert prefix_query("bag  op") == "'bag':* & 'op':*"
    assert prefix_query("o'b | !\\x") == "'o''b':* & '|':* & '!x':*"
    assert prefix_query(" \\ ") == ""


async def test_responses_are_filtered_by_what_the_team_made_of_them(session, rows, api):
    low = await rows.answer(2, comment="The bag arrived open")
    quiet = await rows.answer(5)
    high = await rows.answer(10, comment="Open-minded people, it's lovely")
    await rows.answer(1, trial=True)
    await session.commit()

    async def found(**query):
        answer = await api.get("/responses", params=query)
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["data"]]

    assert await found(state="open") == [shown(quiet), shown(low)]
    changed = await api.patch(
        f"/responses/{shown(low)}", json={"state": "answered", "tags": ["Bag open", "bag OPEN"], "version": 0}
    )
    assert (changed.status_code, changed.json()["tags"]) == (200, ["Bag open"])
    assert [each["kind"] for each in changed.json()["events"]] == ["stated", "tagged"]
    assert await found(state="open") == [shown(quiet)]
    assert await found(state="answered", tag="BAG open") == [shown(low)]
    assert await found(state="closed") == []
    assert await found(q="op") == [shown(high), shown(low)]
    # A page of a period goes on behind an answer that is in the list no more.
    period = {"from": "2026-03-01", "to": "2026-04-01"}
    assert await found(**period) == await found()
    cursor = (await api.get("/responses", params={**period, "limit": "1"})).json()["next_cursor"]
    assert await found(**period, state="answered", cursor=cursor) == [shown(low)]
    assert await found(**{"from": "2026-04-01"}) == []
    assert await found(q="bag arr", band="detractor") == [shown(low)]
    assert await found(q="it's") == [shown(high)]
    assert await found(q="' | z:*") == []
    mine = await session.get_one(Customer, (rows.brand.id, high.customer_id))
    assert await found(q=f" {mine.email.upper()} ") == [shown(high)]
    assert await found(q="nobody@example.com") == []
    assert await found(commented="false", band="detractor", channel="email", state="open") == [shown(quiet)]
    assert await found(shop="nowhere") == []
    assert len(await found(shop=rows.shop.slug)) == 4
    assert (await api.get("/tags")).json() == {"data": [{"name": "Bag open", "responses": 1}]}
    waiting = (await api.get("/waiting")).json()["open_responses"]
    assert (waiting["count"], waiting["since"][:10]) == (1, "2026-03-02")
    assert [(each.tag, each.responses) for each in await reasons(session, rows.brand, Period())] == [
        ("Bag open", 1)
    ]
    assert await reasons(session, rows.brand, Period(clock.now(), None)) == []


async def test_the_later_of_two_is_told_and_nothing_is_lost(context, session, rows, api):
    low = await rows.answer(2)
    await session.commit()
    path = f"/responses/{shown(low)}"
    async with context.sessions.begin() as writing:
        await add_staff(
            writing, rows.brand.id, "mara@example.com", Role.support, actor=cli_actor(rows.brand.id)
        )
    mara = public_id("stf", await session.scalar(select(Staff.id)))
    assert (await api.patch(path, json={"assignee": mara, "version": 0})).json()["version"] == 1
    late = await api.patch(path, json={"state": "closed", "version": 0})
    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    again = await api.patch(path, json={"assignee": mara, "version": 0})
    assert (again.status_code, again.json()["version"]) == (200, 1), "what changes nothing is not refused"
    assert (await api.patch(path, json={"assignee": public_id("stf", new_id())})).status_code == 422
    assert (await api.patch(path, json={"state": None})).status_code == 422
    assert (await api.patch(path, json={"tags": [str(n) for n in range(21)]})).status_code == 422
    assert (await api.post(f"{path}/notes", json={"text": "Called them"})).status_code == 201
    assert (await api.patch(path, json={"assignee": None})).json()["assignee"] is None
    told = (await api.get(path)).json()["events"]
    assert [(each["kind"], each["text"]) for each in told] == [
        ("assigned", mara),
        ("noted", "Called them"),
        ("assigned", None),
    ]
    assert (await api.patch(f"/responses/{public_id('rsp', new_id())}", json={})).status_code == 404
    actions = await session.scalars(select(AuditEntry.action).where(AuditEntry.subject_id == low.id))
    assert sorted(actions) == [
        AuditAction.response_changed,
        AuditAction.response_changed,
        AuditAction.response_noted,
    ]


async def test_what_the_customer_changes_is_open_again(context, session, rows, api):
    low = await rows.answer(2, answered_at=clock.now())
    await session.commit()
    path = f"/responses/{shown(low)}"
    assert (await api.patch(path, json={"state": "closed"})).json()["state"] == "closed"
    subject = Subject(rows.brand.id, low.survey_id)
    async with context.sessions.begin() as writing:
        changed = NewResponse(3, "And it came late")
        outcome = await record_response(writing, context.tokens, subject, changed, now=clock.now())
    assert outcome is ResponseOutcome.changed
    detail = (await api.get(path)).json()
    assert (detail["state"], detail["version"]) == ("open", 2)
    assert (await api.patch(path, json={"state": "answered", "version": 1})).status_code == 409


async def test_notes_and_tags_go_with_an_erasure_and_notes_with_time(context, session, rows, api):
    kept, erased = await rows.answer(2), await rows.answer(3, comment="Too late", order={"items": []})
    await session.commit()
    for each in (kept, erased):
        path = f"/responses/{shown(each)}"
        assert (await api.post(f"{path}/notes", json={"text": "Called them"})).status_code == 201
        assert (await api.patch(path, json={"tags": ["Late"]})).status_code == 200
    exported = (await api.get(f"/customers/{public_id('cus', erased.customer_id)}/export")).json()
    assert "Called them" in str(exported)
    assert "Late" in str(exported)
    async with context.sessions.begin() as writing:
        await erase_rows(writing, context.tokens, rows.brand, [erased.customer_id], now=clock.now())
    detail = (await api.get(f"/responses/{shown(erased)}")).json()
    assert (detail["state"], detail["tags"]) == ("closed", [])
    assert {each["text"] for each in detail["events"]} == {None}
    refused = await api.post(f"/responses/{shown(erased)}/notes", json={"text": "Ana"})
    assert (refused.status_code, refused.json()["code"]) == (410, "erased")
    later = clock.now().replace(year=clock.now().year + 3)
    assert await brands_with_old_notes(session, later) == [rows.brand.id]
    assert await delete_old_notes(session, rows.brand.id, later, 10) == 1
    assert await brands_with_old_notes(session, later) == []
    texts = await session.scalars(select(ResponseEvent.text).where(ResponseEvent.response_id == kept.id))
    assert sorted(each or "" for each in texts) == ["", "Late"]
    assert await session.scalar(select(ResponseTag.name)) == "Late"


async def test_a_testimonial_is_shown_with_a_first_name_and_can_be_taken_back(
    context, brand, shop, session, rows, api
):
    happy = await rows.answer(10, comment="Lovely! Call 0170 1234567", testimonial_consent=True)
    await rows.answer(10, testimonial_consent=True)
    await rows.answer(9, comment="For you alone")
    await rows.answer(9, comment="A try", testimonial_consent=True, trial=True)
    await session.commit()
    (shown_row,) = (await api.get("/testimonials", params={"band": "promoter", "shop": shop.slug})).json()[
        "data"
    ]
    assert (shown_row["text"], shown_row["first_name"]) == ("Lovely! Call …", "Ana")
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand, Role.support)
        page = f"{PATH}?state=testimonials"
        listed = (await client.get(page)).text
        assert listed.count("<li data-item>") == 1
        assert "May be shown to others" in listed
        act = f"{PATH}/{shown(happy)}/testimonial/withdraw?state=testimonials"
        assert (await send_form(client, page, act)).status_code == 303
        assert "Comments come here whose customers ticked" in (await client.get(page)).text
        told = (await client.get(f"{PATH}?answer={shown(happy)}")).text
        assert "withdrew the testimonial" in told
        assert "May be shown to others" not in told
    again = await api.delete(f"/testimonials/{shown(happy)}")
    assert (again.status_code, again.json()["code"]) == (409, "no_testimonial")
    assert (await api.get("/testimonials")).json()["data"] == []


async def test_an_answer_is_worked_on_on_the_screen(context, brand, shop, session, rows):
    first = await rows.answer(3, comment="The <b>bag</b> arrived open")
    second = await rows.answer(5)
    await rows.answer(10)
    await session.commit()
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand, Role.support)
        overview = (await client.get("/admin")).text
        assert "2 unhappy customers wait for a reply" in overview
        listed = (await client.get(PATH)).text
        assert "The &lt;b&gt;bag&lt;/b&gt; arrived open" in listed
        assert listed.count("<li data-item>") == 2
        page, act = f"{PATH}?state=open&answer={shown(second)}", f"{PATH}/{shown(second)}"
        closed = await send_form(
            client, page, f"{act}/state?state=open", {"state": "closed", "version": "0", "next": shown(first)}
        )
        assert closed.headers["location"] == f"{PATH}?state=open&answer={shown(first)}"
        assert "Closed." in (await client.get(closed.headers["location"])).text
        late = await send_form(client, page, f"{act}/state", {"state": "answered", "version": "0"})
        told = (await client.get(late.headers["location"])).text
        assert "Meanwhile support@example.com closed it; nothing of yours was saved." in told
        act = f"{PATH}/{shown(first)}"
        for what, data in (
            ("tags", {"tag": "Late", "version": "0"}),
            ("tags", {"tag": "Packaging", "version": "1"}),
            ("tags", {"remove": "Late", "version": "2"}),
            ("notes", {"note": "Called them"}),
            ("assignee", {"assignee": public_id("stf", await session.scalar(select(Staff.id)))}),
        ):
            done = await send_form(client, f"{PATH}?answer={shown(first)}", f"{act}/{what}", data)
            assert done.status_code == 303
        worked = (await client.get(f"{PATH}?tag=packaging&answer={shown(first)}")).text
        assert "removed the reason “Late”" in worked
        assert "Called them" in worked
        assert "gave it to support@example.com" in worked
        assert (await client.get(f"{PATH}?state=none")).status_code == 303
        assert (await client.get(f"{PATH}?band=promoter&q=x")).status_code == 200
        assert (await client.get(f"{PATH}?answer={public_id('rsp', new_id())}")).status_code == 404
        await sign_in_as(client, context, brand, Role.viewer)
        masked = (await client.get(f"{PATH}?answer={shown(first)}")).text
        assert "Ito" not in masked
        assert "Called them" not in masked
        assert "Mark as answered" not in masked
        assert "Why detractors said so" in (await client.get("/admin?days=all")).text


async def fill(rows, api):
    for number in range(30):
        await rows.answer(
            number % 7,
            comment="The bag arrived open and a good part was in the box. A pity." if number % 3 else None,
        )
    await rows.answer(10, comment="Lovely beans, and a kind note in the box.", testimonial_consent=True)
    evidence = {"after_sent": 4, "on_page": None, "burst": True}
    await rows.answer(1, suspicion="suspected", evidence=evidence)
    low = await rows.answer(
        3,
        customer=await rows.customer(phone="+4915112345000"),
        comment="Too late for the birthday, and nobody wrote to me about it.",
    )
    await rows.session.commit()
    path = f"/responses/{shown(low)}"
    await api.patch(path, json={"tags": ["Late", "Nobody wrote"]})
    await api.post(f"{path}/notes", json={"text": "Called them; a new one is on its way."})
    return low


@needs_chromium
@pytest.mark.slow(seconds=35)
async def test_answers_fit_every_view_and_keys_work(context, brand, shop, session, rows, api, browser):
    app = dashboard_app(context)
    async with serve(app, browser) as site, signed_in_page(site, context, brand) as page:
        await check_screen(page, f"{site.url}{PATH}", "answers_empty")
        low = await fill(rows, api)
        await check_screen(page, f"{site.url}{PATH}", "answers_list")
        await check_screen(page, f"{site.url}{PATH}?answer={shown(low)}", "answers")
        for state in ("testimonials", "suspects"):
            listed = (await page.goto(f"{site.url}{PATH}?state={state}")).url
            chosen = await page.get_attribute("[data-item] a", "href")
            address = f"{listed.split('?')[0]}{chosen.split('/admin/answers')[1]}"
            await check_screen(page, address, state, [(390, "light"), (1440, "light")])
        await page.goto(f"{site.url}{PATH}?answer={shown(low)}")
        await page.fill("#text", "Sorry for the delay!\nA new one is on its way to you.")
        await page.click("text=Preview the reply")
        for width in (390, 1440):
            await page.set_viewport_size({"width": width, "height": 900})
            if SCREENSHOTS:
                await page.screenshot(path=f"{SCREENSHOTS}/reply_{width}.png", full_page=True)
            assert await overflow(page) <= 0
            assert await violations(page) == []
        await page.click("text=Send it")
        await page.wait_for_selector("text=The reply is on its way.")
        await page.goto(f"{site.url}{PATH}?answer={shown(low)}")
        await page.wait_for_selector("text=The reply is planned.")
        await page.set_viewport_size({"width": 1440, "height": 900})
        await page.goto(f"{site.url}{PATH}")
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**answer=*")
        await page.keyboard.press("e")
        await page.wait_for_selector("text=Closed.")
        assert await session.scalar(text("SELECT count(*) FROM responses WHERE state = 'closed'")) == 1
