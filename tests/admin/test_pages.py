"""Signing in to the dashboard and out of it."""

import asyncio
from datetime import timedelta

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.staticfiles import StaticFiles

from app.admin import sign_in_pages
from app.admin.auth import cookie_name
from app.admin.dashboard import screens
from app.admin.models import LoginLink, Staff, StaffSession
from app.admin.rules import Role
from app.admin.sign_in_pages import WRONG_PASSWORDS
from app.admin.staff import add_staff, find_signed_in, make_login_link, set_password, sign_in
from app.base import clock
from app.base.actor import cli_actor
from app.base.errors import AppError
from app.base.ids import new_id, public_id
from app.base.paths import ROOT
from app.base.web.middleware import RequestMiddleware
from app.base.web.problems import install_problems
from app.brands.add import add_brand
from tests.support.forms import form_token, send_form

COOKIE = cookie_name("http://test")


@pytest.fixture
def app(context):
    app = FastAPI()
    app.state.context = context
    app.add_middleware(RequestMiddleware)
    install_problems(app)
    app.include_router(sign_in_pages.router)
    app.include_router(screens.router)
    app.mount("/static", StaticFiles(directory=ROOT / "static"))
    return app


@pytest.fixture
async def client(app):
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def link_for(context, brand, role=Role.admin, email="mia@example.com", **said):
    async with context.sessions.begin() as session:
        await add_staff(session, brand.id, email, role, actor=cli_actor(brand.id))
        url = await make_login_link(session, context, email, **({"now": clock.now()} | said))
    return url.removeprefix(context.settings.public_url)


async def test_looking_at_a_link_does_not_use_it_up_and_pressing_the_button_does(
    context, brand, shop, client
):
    path = await link_for(context, brand)
    for _ in range(3):
        assert (await client.get(path)).status_code == 200
    entered = await client.post(path)
    assert (entered.status_code, entered.headers["location"]) == (303, "/admin")
    said = entered.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=lax" in said
    assert "path=/;" in said
    assert (await client.get("/admin")).status_code == 200
    assert (await client.post(path)).status_code == 404
    assert (await client.get(path)).status_code == 404


async def test_one_of_two_browsers_gets_in(context, brand, client):
    path = await link_for(context, brand)
    answers = await asyncio.gather(*(client.post(path) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [303, 404, 404, 404, 404]


async def test_an_expired_or_foreign_link_is_the_one_404(context, brand, client):
    expired = await link_for(context, brand, now=clock.now() - timedelta(days=2))
    foreign = f"/admin/login/{context.tokens.link('survey', brand.id, new_id())}"
    pages = [
        await client.request(method, path)
        for path in (expired, foreign, "/admin/login/x")
        for method in ("GET", "POST")
    ]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1


async def test_without_a_session_nothing_is_shown(context, brand, client):
    for cookie in (None, "", "x", "x.y", f"{context.tokens.link('session', brand.id, new_id())}.secret"):
        headers = {} if cookie is None else {"Cookie": f"{COOKIE}={cookie}"}
        for path in ("/admin", f"/admin/customers/{public_id('cus', new_id())}"):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 401
            assert "login-link" in answer.text


async def test_signing_out_ends_the_session(context, brand, shop, session, client):
    await client.post(await link_for(context, brand))
    cookie = client.cookies[COOKIE]
    assert (await send_form(client, "/admin", "/admin/logout")).status_code == 303
    assert await session.scalar(select(func.count()).select_from(StaffSession)) == 0
    assert await find_signed_in(session, context.tokens, cookie, now=clock.now()) is None
    assert (await client.get("/admin")).status_code == 401


async def test_only_a_form_of_this_session_is_taken(context, brand, shop, client):
    await client.post(await link_for(context, brand))
    foreign = form_token((await client.get("/admin")).text)
    await client.post(await link_for(context, brand))
    own = form_token((await client.get("/admin")).text)
    assert own != form_token((await client.get("/admin")).text)
    for data in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": own[:-1]}, {"csrf": "\u00e4"}):
        refused = await client.post("/admin/logout", data=data)
        assert (refused.status_code, refused.json()["code"]) == (403, "stale_form")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in ("/admin/logout", "/admin/login", "/admin/login/x"):
            refused = await client.post(path, data={"csrf": own}, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "foreign_form")
    assert (await client.get("/admin")).status_code == 200
    assert (await client.post("/admin/logout", data={"csrf": own})).status_code == 303
    signed_out = await client.post("/admin/logout", data={"csrf": own})
    assert (signed_out.status_code, signed_out.headers["location"]) == (303, "/admin")


async def test_a_session_ends_by_itself_and_keeps_a_hash_only(context, brand, session):
    path = await link_for(context, brand)
    now = clock.now()
    cookie = await sign_in(session, context.tokens, path.rsplit("/", 1)[1], now=now)
    assert cookie is not None
    person = await find_signed_in(session, context.tokens, cookie, now=now)
    assert person is not None
    assert (person.email, person.role) == ("mia@example.com", Role.admin)
    assert await find_signed_in(session, context.tokens, cookie, now=now + timedelta(days=15)) is None
    assert await find_signed_in(session, context.tokens, cookie + "x", now=now) is None
    secret = cookie.partition(".")[2].encode()
    assert secret not in (await session.scalars(select(StaffSession.secret_hash))).one()


async def test_staff_are_added_once_and_get_another_role(context, brand, session):
    first = await add_staff(session, brand.id, "Mia@Example.com ", Role.viewer, actor=cli_actor(brand.id))
    assert (
        await add_staff(session, brand.id, "mia@example.com", Role.admin, actor=cli_actor(brand.id)) == first
    )
    with pytest.raises(AppError, match="no e-mail address"):
        await add_staff(session, brand.id, "mia", Role.viewer, actor=cli_actor(brand.id))
    with pytest.raises(AppError, match="No staff member"):
        await make_login_link(session, context, "nobody@example.com", now=clock.now())
    assert await session.scalar(select(func.count()).select_from(LoginLink)) == 0


async def test_staff_of_two_brands_choose_one(context, brand, session):
    rival = await add_brand(session, "rival", name="Rival")
    for each in (brand, rival):
        await add_staff(session, each.id, "mia@example.com", Role.viewer, actor=cli_actor(each.id))
    with pytest.raises(AppError, match="several brands"):
        await make_login_link(session, context, "mia@example.com", now=clock.now())
    assert await make_login_link(session, context, "mia@example.com", now=clock.now(), brand_id=rival.id)


async def add_with_password(context, brand, password, email="mia@example.com"):
    actor = cli_actor(brand.id)
    async with context.sessions.begin() as session:
        person = await add_staff(session, brand.id, email, Role.admin, actor=actor)
        await set_password(session, brand.id, person, password, actor=actor)
    return person


async def test_a_person_signs_in_by_their_password(context, brand, shop, client, session):
    await add_with_password(context, brand, "a long password")
    assert "login-link" in (await client.get("/admin")).text
    entered = await client.post(
        "/admin/login", data={"email": "Mia@Example.com", "password": "a long password"}
    )
    assert (entered.status_code, entered.headers["location"]) == (303, "/admin")
    assert (await client.get("/admin")).status_code == 200
    assert b"a long password" not in (await session.scalars(select(Staff.password_hash))).one()


async def test_a_wrong_password_and_an_unknown_address_look_alike_and_are_limited(
    context, brand, app, client
):
    await add_with_password(context, brand, "a long password")
    await link_for(context, brand, email="eve@example.com")
    wrong = ["mia@example.com", "eve@example.com", "nobody@example.com"]
    for data in ({}, {"email": "mia@example.com"}, {"email": "eve@example.com", "password": ""}):
        assert (await client.post("/admin/login", data=data)).status_code == 401
    pages = [
        (await client.post("/admin/login", data={"email": email, "password": "wrong"})).text.replace(
            email, ""
        )
        for email in wrong
    ]
    assert len(set(pages)) == 1
    assert "is wrong" in pages[0]
    for _ in range(WRONG_PASSWORDS):
        app.state.password_limit.record_failure("mia@example.com")
    right = {"email": "mia@example.com", "password": "a long password"}
    refused = await client.post("/admin/login", data=right)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")


async def test_a_new_password_ends_the_sessions_and_the_old_password(context, brand, client):
    person = await add_with_password(context, brand, "a long password")
    right = {"email": "mia@example.com", "password": "a long password"}
    assert (await client.post("/admin/login", data=right)).status_code == 303
    assert await add_with_password(context, brand, "another password") == person
    assert (await client.get("/admin")).status_code == 401
    assert (await client.post("/admin/login", data=right)).status_code == 401
    with pytest.raises(AppError, match="12 characters"):
        await add_with_password(context, brand, "short")
