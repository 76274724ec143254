"""Settings: team, keys and the audit log, over HTTP and in a real Chromium."""

import re

import pyotp
import pytest
from sqlalchemy import select, update

from app.admin.keys import find_key
from app.admin.models import ApiKey, Staff, StaffSession
from app.admin.rules import Role
from app.admin.views.audit import ACTION_NAMES
from app.base import clock
from app.base.actor import Actor, ActorKind, cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.ids import new_id, public_id
from app.brands.add import add_shop
from app.insight.waiting import redemptions_in_review
from app.referrals.rules import RedemptionStatus
from tests.support.browser import needs_chromium, serve, violations
from tests.support.constants import NOW
from tests.support.dashboard import (
    browser_of,
    check_screen,
    dashboard_app,
    sign_in_as,
    signed_in_page,
)
from tests.support.factories.rows import Rows
from tests.support.forms import send_form
from tests.support.staff import add_with_password, link_for, mailed_link

TEAM, KEYS, AUDIT = (f"/admin/settings/{name}" for name in ("team", "keys", "audit"))


@pytest.fixture
def app(context):
    return dashboard_app(context)


@pytest.fixture
async def client(context, brand, shop, app):
    async with browser_of(app) as client:
        await sign_in_as(client, context, brand)
        yield client


async def id_of(session, email):
    found = await session.scalar(select(Staff.id).where(Staff.email == email))
    await session.rollback()
    return public_id("stf", found)


async def test_a_colleague_is_invited_changed_and_removed_on_the_screen(
    context, brand, shop, session, app, client
):
    await add_shop(session, context.tokens, brand, "second", name="Second", actor=cli_actor(brand.id))
    await session.commit()
    form = f"{TEAM}/invite"
    for data, problem in (
        ({"email": "zoe", "role": "viewer"}, "no e-mail address"),
        ({"email": "zoe@example.com", "role": "owner"}, "Choose a role"),
        ({"email": "zoe@example.com", "role": "viewer", "access": "some"}, "at least one shop"),
        ({"email": "admin@example.com", "role": "viewer"}, "in the team already"),
    ):
        refused = await send_form(client, form, form, data)
        assert (refused.status_code, problem in refused.text) == (422, True), problem
    data = {"email": "Zoe@example.com", "role": "support", "access": "some", "shops": "second"}
    assert (await send_form(client, form, form, data)).headers["location"] == TEAM
    listed = (await client.get(TEAM)).text
    assert "Zoe@example.com is invited." in listed
    assert "Second" in listed
    member = f"{TEAM}/{await id_of(session, 'zoe@example.com')}"
    assert (await send_form(client, member, f"{member}/invitation")).status_code == 303
    async with browser_of(app) as zoe:
        await zoe.post(await mailed_link(context, "zoe@example.com"))
        assert "NPS of Second" in (await zoe.get("/admin")).text
        assert (await zoe.get(TEAM)).status_code == 403
        saved = await send_form(client, member, f"{member}/access", {"role": "admin", "access": "all"})
        assert saved.status_code == 303
        assert (await zoe.get(TEAM)).status_code == 200, "a role holds from the next page on"
        made = await send_form(
            zoe, f"{KEYS}/new", f"{KEYS}/new", {"label": "Till", "scopes": "read", "expires": "30"}
        )
        assert "tf_" in made.text
        shown = (await client.get(member)).text
        assert "They made one key that is in use: Till." in shown
        own = f"{TEAM}/{await id_of(session, 'admin@example.com')}"
        assert "This is you" in (await client.get(own)).text
        assert "cannot change or remove yourself" in (await send_form(client, own, f"{own}/remove")).text
        (browser,) = set(re.findall(r"/sessions/(ses_\w+)/end", shown))
        assert (await send_form(client, member, f"{member}/sessions/{browser}/end")).status_code == 303
        assert (await zoe.get(TEAM)).status_code == 401
    removed = await send_form(client, member, f"{member}/remove")
    assert removed.headers["location"] == TEAM
    assert "Keys that ended: 1." in (await client.get(TEAM)).text
    assert (await client.get(member)).status_code == 404


async def test_changes_of_the_team_and_new_keys_ask_who_it_is_after_ten_minutes(
    context, brand, shop, session, client
):
    await link_for(context, brand, Role.viewer, "zoe@example.com")
    member = f"{TEAM}/{await id_of(session, 'zoe@example.com')}"
    await session.execute(update(StaffSession).values(confirmed_at=NOW))
    await session.commit()
    for page in (f"{TEAM}/invite", f"{KEYS}/new"):
        led = await client.get(page)
        assert (led.status_code, led.headers["location"]) == (
            303,
            f"/admin/account/confirm?next={page.replace('/', '%2F')}",
        )
    for act in ("access", "remove", "invitation", "authenticator/remove"):
        led = await send_form(client, member, f"{member}/{act}", {"role": "admin"})
        assert led.headers["location"].startswith("/admin/account/confirm?next=")
        assert "stf_" in led.headers["location"]
    assert (await send_form(client, member, f"{member}/sessions/end")).headers["location"] == member
    person = (await session.scalars(select(Staff).where(Staff.email == "zoe@example.com"))).one()
    assert person.role is Role.viewer


async def test_a_key_is_shown_once_and_revoked(context, brand, shop, session, client):
    refused = await send_form(client, f"{KEYS}/new", f"{KEYS}/new", {"label": "", "expires": "x"})
    assert refused.status_code == 422
    assert refused.text.count("error") >= 3
    data = {"label": "Reports <b>", "scopes": "read", "expires": "90"}
    data["once"] = public_id("key", new_id())
    made = await send_form(client, f"{KEYS}/new", f"{KEYS}/new", data)
    twice = await send_form(client, f"{KEYS}/new", f"{KEYS}/new", data)
    assert twice.headers["location"] == KEYS
    assert "The key was made already" in (await client.get(KEYS)).text
    (key,) = re.findall(r"<code[^>]*>(tf_[\w-]+)</code>", made.text)
    assert made.headers["cache-control"] == "no-store"
    row = await find_key(session, key)
    assert (row.label, row.scopes, row.made_by is None) == ("Reports <b>", ["read"], False)
    key_id = public_id("key", row.id)
    await session.rollback()
    listed = (await client.get(KEYS)).text
    assert key not in listed
    assert "Reports &lt;b&gt;" in listed
    assert "admin@example.com" in listed
    assert (await send_form(client, KEYS, f"{KEYS}/{key_id}/revoke")).status_code == 303
    assert await find_key(session, key) is None
    assert "No key is in use" in (await client.get(KEYS)).text
    assert "Revoked" in (await client.get(f"{KEYS}?show=all")).text
    assert await session.scalar(select(ApiKey.revoked_at)) is not None


def test_every_action_of_the_log_has_words():
    assert set(ACTION_NAMES) == set(AuditAction)


async def test_the_log_is_filtered_by_who_what_and_when(context, brand, shop, session, client):
    await link_for(context, brand, Role.viewer, "zoe@example.com")
    zoe = await id_of(session, "zoe@example.com")
    text = (await client.get(AUDIT)).text
    assert "the operator, by command" in text
    assert "added to the team" in text
    assert "role: viewer" in text
    own = await id_of(session, "admin@example.com")
    mine = (await client.get(f"{AUDIT}?actor={own}")).text
    assert "signed in" in mine
    assert "the operator, by command</a></td>" not in mine
    about = (await client.get(f"{AUDIT}?subject={zoe}&action=staff_added")).text
    assert about.count("<tr data-item>") == 1
    assert "No entry" in (await client.get(f"{AUDIT}?to=2020-01-01")).text
    for bad in ("action=x", "actor=x", "subject=x", "from=soon"):
        assert (await client.get(f"{AUDIT}?{bad}")).headers["location"] == AUDIT


async def test_who_is_limited_to_shops_sees_their_people_alone(context, brand, shop, session, app):
    second, _ = await add_shop(
        session, context.tokens, brand, "second", name="Second", actor=cli_actor(brand.id)
    )
    ours, theirs = Rows(session, brand, shop), Rows(session, brand, second)
    theirs.made = 100
    people = [await ours.customer(), await theirs.customer()]
    await ours.order(people[0])
    await theirs.order(people[1])
    await ours.answer(10, answered_at=clock.now(), comment="Lovely mug")
    for _ in range(2):
        await theirs.answer(3, answered_at=clock.now(), comment="A broken lamp")
    own = await ours.order(people[0], number="#7")
    await theirs.answer(2, customer=people[0], comment="Theirs alone", order={"number": "#666"})
    code = await theirs.code(people[0].id)
    await theirs.redemption(code, number="#667")
    await theirs.redemption(code, RedemptionStatus.in_review, number="#668")
    await session.commit()
    for shops, count in ([shop.id], 0), ([second.id], 1), (None, 1):
        assert (await redemptions_in_review(session, brand.id, shops)).count == count
    async with browser_of(app) as client:
        await client.post(await link_for(context, brand, Role.support, "zoe@example.com", shops=[shop.slug]))
        pages = [await client.get(f"/admin/customers/{public_id('cus', person.id)}") for person in people]
        assert [page.status_code for page in pages] == [200, 404]
        assert own.number in pages[0].text
        for hidden in ("Theirs alone", "#666", "#667", "#668", "CODE", "€72", "€10"):
            assert hidden not in pages[0].text, "what one person did in another shop"
        shown = (await client.get("/admin")).text
        assert "NPS of Acme" in shown
        assert "1 answer<" in shown
        assert "Second" not in shown
        assert "broken lamp" not in shown


async def test_what_staff_read_of_people_is_in_the_log(context, brand, shop, session):
    from app.admin.listing import PageRequest, list_page
    from app.admin.rows import CUSTOMERS, ORDERS

    rows = Rows(session, brand, shop)
    await rows.order(await rows.customer())
    await session.commit()
    zoe = await add_with_password(context, brand)
    wanted = PageRequest(context.tokens, 10, None)
    for kind, sees, resource in (
        (ActorKind.staff, True, CUSTOMERS),
        (ActorKind.staff, True, ORDERS),
        (ActorKind.staff, False, CUSTOMERS),
        (ActorKind.api_key, True, CUSTOMERS),
    ):
        async with context.sessions.begin() as other:
            await list_page(other, wanted, Actor(kind, brand.id, zoe, sees), resource)
    read = select(AuditEntry.subject_kind).where(AuditEntry.action == AuditAction.people_listed)
    assert (await session.scalars(read)).all() == ["customers"]


@pytest.mark.slow
@pytest.mark.browser
@needs_chromium
async def test_a_colleague_is_invited_joins_and_leaves_in_a_browser(context, brand, shop, app, browser):
    async with (
        serve(app, browser) as site,
        signed_in_page(site, context, brand) as page,
        site.page(width=1440) as zoe,
    ):
        await page.goto(site.url + TEAM)
        await page.click("text=Invite somebody")
        await page.fill("#email", "zoe@example.com")
        await page.check("#role-support")
        await page.click("text=Send the invitation")
        await page.wait_for_selector("text=zoe@example.com is invited.")
        await zoe.goto(site.url + await mailed_link(context, "zoe@example.com"))
        await zoe.click("text=Accept the invitation")
        await zoe.wait_for_url("**/admin/account")
        await zoe.click("text=Set one up")
        key = (await zoe.text_content("main code")).replace(" ", "")
        await zoe.fill("#code", pyotp.TOTP(key).at(clock.now()))
        await zoe.click("text=Turn it on")
        codes = await zoe.locator(".codes code").all_text_contents()
        assert await violations(zoe) == [], "recovery codes"
        await zoe.click("text=I have kept them")
        await zoe.wait_for_url("**/admin")
        await zoe.click("text=Sign out >> visible=true")
        await zoe.fill("#email", "zoe@example.com")
        await zoe.click("text=Send me a link")
        assert await violations(zoe) == [], "a link is sent"
        await zoe.goto(site.url + await mailed_link(context, "zoe@example.com"))
        await zoe.click("button:has-text('Sign in')")
        await zoe.wait_for_url("**/admin/login/code")
        assert await violations(zoe) == [], "a code is asked for"
        await zoe.fill("#code", codes[0])
        await zoe.click("button:has-text('Sign in')")
        await zoe.wait_for_url("**/admin")
        await page.click("text=zoe@example.com >> nth=-1")
        await page.click("text=End it")
        await page.wait_for_selector("text=The session has ended.")
        await zoe.goto(site.url + "/admin")
        assert await zoe.locator("text=Send me a link").count() == 1
        await page.click("text=Remove them…")
        await page.click("dialog[open] >> text=Remove them")
        await page.wait_for_selector("text=zoe@example.com is removed")


VIEWS = [(390, "light"), (768, "dark"), (1440, "light")]


@pytest.mark.slow(seconds=25)
@pytest.mark.browser
@needs_chromium
async def test_pages_of_settings_and_signing_in_are_accessible_and_fit(
    context, brand, shop, session, app, browser
):
    await add_shop(session, context.tokens, brand, "second", name="Second", actor=cli_actor(brand.id))
    await session.commit()
    await link_for(context, brand, Role.support, "zoe@example.com", shops=[shop.slug])
    link = await link_for(context, brand, Role.viewer, "eve@example.com")
    member = f"{TEAM}/{await id_of(session, 'zoe@example.com')}"
    async with serve(app, browser) as site, signed_in_page(site, context, brand) as page:
        await page.goto(f"{site.url}{KEYS}/new")
        await page.fill("#label", "Reports")
        await page.click("text=Make the key")
        pages = {
            "account": "/admin/account",
            "team": TEAM,
            "team_invite": f"{TEAM}/invite",
            "team_member": member,
            "keys": KEYS,
            "key_new": f"{KEYS}/new",
            "audit": AUDIT,
            "authenticator": "/admin/account/authenticator",
            "confirm": "/admin/account/confirm",
            "brands": "/admin/brands",
        }
        for name, path in pages.items():
            await check_screen(page, site.url + path, name, VIEWS)
        async with site.page() as nobody:
            for name, path in {"sign_in": "/admin", "login": link}.items():
                await check_screen(nobody, site.url + path, name, VIEWS)
            await nobody.click("text=Sign in >> nth=-1")
            await nobody.wait_for_url("**/admin")
        async with site.page() as late:
            await check_screen(late, site.url + link, "link_over", VIEWS)
