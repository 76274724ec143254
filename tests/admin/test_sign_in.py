"""Signing in and out, threat by threat, over HTTP."""

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx2
import pyotp
import pytest
from sqlalchemy import func, select, update

from app.admin.auth import cookie_name
from app.admin.find_sessions import find_signed_in
from app.admin.guesses import MOST, Guess, count_guess
from app.admin.keys import create_key
from app.admin.models import ApiKey, LoginLink, Staff, StaffSession
from app.admin.rules import INVITATION_LASTS, SESSION_IDLE, SESSION_LASTS, Role, Scope
from app.admin.second_factor import RECOVERY_CODES, reseal_totp
from app.admin.sessions import list_sessions
from app.admin.sign_in import sign_in
from app.admin.staff import add_staff, change_staff, remove_staff
from app.admin.staff_mail import invite, resend_invitation
from app.base import clock
from app.base.actor import Actor, ActorKind, cli_actor
from app.base.audit import AuditAction, AuditEntry
from app.base.config import Environment
from app.base.errors import AppError
from app.base.ids import new_id, public_id
from app.base.paths import ROOT
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop
from app.messaging.models import Message
from tests.support.apps import whole_app
from tests.support.constants import NOW
from tests.support.forms import form_token, send_form
from tests.support.staff import PASSWORD, add_with_password, code_of, link_for, mailed_link, mails_to

COOKIE = cookie_name("http://test")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
ACCOUNT = "/admin/account"


@asynccontextmanager
async def browser(context, app=None, **headers):
    transport = httpx2.ASGITransport(app=app or whole_app(context))
    base = context.settings.public_url.replace("127.0.0.1:8000", "test")
    async with httpx2.AsyncClient(
        transport=transport, base_url=base, headers={"User-Agent": FIREFOX} | headers
    ) as client:
        yield client


@pytest.fixture
def app(context):
    return whole_app(context)


@pytest.fixture
async def client(context, app):
    async with browser(context, app) as client:
        yield client


async def enter(client, email="mia@example.com", password=PASSWORD):
    return await client.post("/admin/login", data={"email": email, "password": password})


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
    for method in ("GET", "POST"):
        again = await client.request(method, path)
        assert (again.status_code, again.headers["location"]) == (303, "/admin"), "they are signed in"
    client.cookies.clear()
    for method in ("GET", "POST"):
        over = await client.request(method, path)
        assert over.status_code == 410
        assert "This link was already used" in over.text
        assert 'action="/admin/login/link"' in over.text


async def test_one_of_two_browsers_gets_in(context, brand, app):
    path = await link_for(context, brand)

    async def press():
        async with browser(context, app) as client:
            return (await client.post(path)).status_code

    assert sorted(await asyncio.gather(*(press() for _ in range(5)))) == [303, 410, 410, 410, 410]


async def test_an_expired_link_says_so_and_a_foreign_one_is_the_one_404(context, brand, client):
    expired = await link_for(context, brand, now=clock.now() - timedelta(days=2))
    over = await client.get(expired)
    assert (over.status_code, "has expired" in over.text) == (410, True)
    foreign = f"/admin/login/{context.tokens.link('survey', brand.id, new_id())}"
    withdrawn = f"/admin/login/{context.tokens.link('login', brand.id, new_id())}"
    pages = [
        await client.request(method, path)
        for path in (foreign, withdrawn, "/admin/login/x")
        for method in ("GET", "POST")
    ]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1


async def test_without_a_session_nothing_is_shown(context, brand, client):
    for cookie in (None, "", "x", "x.y", f"{context.tokens.link('session', brand.id, new_id())}.secret"):
        headers = {} if cookie is None else {"Cookie": f"{COOKIE}={cookie}"}
        for path in ("/admin", f"/admin/customers/{public_id('cus', new_id())}", ACCOUNT, "/admin/brands"):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 401
            assert "login-link" in answer.text


async def test_signing_out_ends_the_session(context, brand, shop, session, client):
    await client.post(await link_for(context, brand))
    cookie = client.cookies[COOKIE]
    done = await send_form(client, "/admin", "/admin/logout")
    assert done.status_code == 303
    assert "You are signed out." in (await client.get(done.headers["location"])).text
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
        for path in ("/admin/logout", "/admin/login", "/admin/login/link", "/admin/login/x"):
            refused = await client.post(path, data={"csrf": own}, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "foreign_form")
    assert (await client.get("/admin")).status_code == 200
    assert (await client.post("/admin/logout", data={"csrf": own})).status_code == 303
    signed_out = await client.post("/admin/logout", data={"csrf": own})
    assert (signed_out.status_code, signed_out.headers["location"]) == (303, "/admin")


async def test_a_session_ends_by_itself_and_keeps_a_hash_only(context, brand, session):
    path = await link_for(context, brand)
    now = clock.now()
    made = await sign_in(session, context.tokens, path.rsplit("/", 1)[1], now=now)
    assert made is not None

    async def found(cookie, at):
        return await find_signed_in(session, context.tokens, cookie, now=at)

    person = await found(made.cookie, now)
    assert person is not None
    assert (person.email, person.role, person.proven) == ("mia@example.com", Role.admin, False)
    assert await found(made.cookie, now + SESSION_IDLE) is None
    await session.execute(update(StaffSession).values(last_seen_at=now + SESSION_LASTS - timedelta(hours=1)))
    assert await found(made.cookie, now + SESSION_LASTS - timedelta(seconds=1)) is not None
    assert await found(made.cookie, now + SESSION_LASTS) is None
    assert await found(made.cookie + "x", now) is None
    secret = made.cookie.partition(".")[2].encode()
    assert secret not in (await session.scalars(select(StaffSession.secret_hash))).one()


async def test_each_sign_in_is_a_new_session_and_ends_the_one_before(context, brand, shop, session, client):
    await add_with_password(context, brand)
    planted = f"{context.tokens.link('session', brand.id, new_id())}.planted"
    data = {"email": "mia@example.com", "password": PASSWORD}
    entered = await client.post("/admin/login", data=data, headers={"Cookie": f"{COOKIE}={planted}"})
    cookies = [client.cookies[COOKIE]]
    assert (entered.status_code, planted in cookies) == (303, False)
    assert (await enter(client)).status_code == 303
    cookies.append(client.cookies[COOKIE])
    assert len(set(cookies)) == 2
    assert await session.scalar(select(func.count()).select_from(StaffSession)) == 1
    assert await find_signed_in(session, context.tokens, cookies[0], now=clock.now()) is None


async def test_a_request_is_noted_once_a_minute_with_the_browser_in_words(
    context, brand, shop, session, client
):
    await client.post(await link_for(context, brand))
    row = (await session.scalars(select(StaffSession))).one()
    assert row.device == "Firefox, Windows"
    early = clock.now() - timedelta(minutes=5)
    for wait in (0, 5):
        await session.execute(update(StaffSession).values(last_seen_at=early + timedelta(minutes=wait)))
        await session.commit()
        await client.get("/admin")
        seen = await session.scalar(select(StaffSession.last_seen_at))
        assert (clock.now() - seen < timedelta(minutes=1)) is True
        await session.commit()


async def test_a_person_signs_in_by_their_password(context, brand, shop, client, session):
    await add_with_password(context, brand)
    assert "login-link" in (await client.get("/admin")).text
    entered = await client.post(
        "/admin/login", data={"email": " Mia@Example.com", "password": PASSWORD, "back_to": ACCOUNT}
    )
    assert (entered.status_code, entered.headers["location"]) == (303, ACCOUNT)
    assert (await client.get("/admin")).status_code == 200
    assert (await client.get("/admin/login")).headers["location"] == "/admin"
    stored = (await session.scalars(select(Staff.password_hash))).one()
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    led = await client.post(
        "/admin/login",
        data={"email": "mia@example.com", "password": PASSWORD, "back_to": "//evil.example/admin"},
    )
    assert led.headers["location"] == "/admin"


async def test_a_wrong_password_and_an_unknown_address_look_alike(context, brand, client):
    await add_with_password(context, brand)
    await link_for(context, brand, email="eve@example.com")
    wrong = ["mia@example.com", "eve@example.com", "nobody@example.com"]
    for data in ({}, {"email": "mia@example.com"}, {"email": "eve@example.com", "password": ""}):
        assert (await client.post("/admin/login", data=data)).status_code == 401
    pages = [(await enter(client, email, "wrong")).text.replace(email, "") for email in wrong]
    assert len(set(pages)) == 1
    assert "is wrong" in pages[0]
    assert (await client.post("/admin/login", data={"email": "a\0", "password": "x"})).status_code == 422


@pytest.mark.slow
async def test_strangers_cannot_lock_a_person_out(context, brand, shop, app, client):
    """A browser that is known takes the password still, and a mailed link works in any other."""
    await add_with_password(context, brand)
    assert (await enter(client)).status_code == 303
    await send_form(client, "/admin", "/admin/logout")
    for _ in range(MOST[Guess.password]):
        assert await count_guess(context, Guess.password, "mia@example.com", now=clock.now())
    async with browser(context, app) as stranger:
        refused = await enter(stranger)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        assert "Too many wrong passwords" in refused.text
        await stranger.post("/admin/login/link", data={"email": "mia@example.com"})
        path = await mailed_link(context, "mia@example.com")
        assert (await stranger.post(path)).status_code == 303
    assert (await enter(client)).status_code == 303
    await send_form(client, "/admin", "/admin/logout")
    assert (await enter(client, "eve@example.com", "x")).status_code == 401
    for _ in range(MOST[Guess.password] + 1):
        last = await enter(client, password="wrong password")
        if last.status_code == 429:
            break
    assert last.status_code == 429, "a known browser has a limit of its own"


async def test_a_mailed_link_is_the_same_page_for_every_address_and_limited(context, brand, shop, client):
    await link_for(context, brand, email="mia@example.com")
    async with context.sessions.begin() as session:
        await invite(
            session, brand.id, "new@example.com", Role.viewer, actor=cli_actor(brand.id), now=clock.now()
        )
    pages = []
    for address in ("mia@example.com", "nobody@example.com", "new@example.com"):
        for _ in range(MOST[Guess.link] + 2):
            asked = await client.post("/admin/login/link", data={"email": address})
            pages.append((asked.status_code, asked.text.replace(address, "")))
    assert len(set(pages)) == 1
    assert pages[0][0] == 200
    assert len(await mails_to(context, "mia@example.com")) == MOST[Guess.link]
    assert await mails_to(context, "nobody@example.com") == []
    (invitation,) = await mails_to(context, "new@example.com")
    assert "invited" in invitation.text
    (mail, *_) = await mails_to(context, "mia@example.com")
    assert "Firefox, Windows" in mail.text
    assert "List-Unsubscribe" not in mail.headers
    assert "/u/" not in mail.text + (mail.html or "")


async def test_a_new_password_ends_the_other_sessions_and_the_old_password(context, brand, shop, app, client):
    await add_with_password(context, brand)
    await enter(client)
    async with browser(context, app) as other:
        await enter(other)
        short = await send_form(client, ACCOUNT, f"{ACCOUNT}/password", {"password": "short"})
        assert (short.status_code, "12 characters" in short.text) == (422, True)
        before = client.cookies[COOKIE]
        changed = await send_form(client, ACCOUNT, f"{ACCOUNT}/password", {"password": "another password"})
        assert (changed.status_code, changed.headers["location"]) == (303, ACCOUNT)
        assert client.cookies[COOKIE] != before
        assert (await client.get(ACCOUNT)).status_code == 200
        assert (await other.get("/admin")).status_code == 401
        assert (await enter(other)).status_code == 401
        assert (await enter(other, password="another password")).status_code == 303


async def set_up(client, context, email="mia@example.com"):
    """Set up an authenticator; returns the recovery codes."""
    shown = (await client.get(f"{ACCOUNT}/authenticator")).text
    assert "<svg" in shown
    sealed = re.search(r'name="sealed" value="([^"]+)"', shown)[1]
    secret = context.tokens.open(sealed).partition(":")[2]
    assert secret in shown.replace(" ", "")
    data = {"csrf": form_token(shown), "sealed": sealed}
    wrong = await client.post(f"{ACCOUNT}/authenticator", data=data | {"code": "000000x"})
    assert (wrong.status_code, sealed in wrong.text) == (422, True)
    code = pyotp.TOTP(secret).at(clock.now() - timedelta(seconds=30))
    done = await client.post(f"{ACCOUNT}/authenticator", data=data | {"code": code})
    assert done.status_code == 200, done.text
    return re.findall(r"<code>([A-Z0-9]{5}-[A-Z0-9]{5})</code>", done.text)


async def test_a_second_factor_is_asked_for_and_each_code_counts_once(
    context, brand, shop, session, app, client
):
    await add_with_password(context, brand)
    await enter(client)
    codes = await set_up(client, context)
    assert len(set(codes)) == RECOVERY_CODES
    stored = (await session.scalars(select(Staff))).one()
    assert all(code.replace("-", "").encode() not in b"".join(stored.recovery_hashes) for code in codes)
    await session.commit()
    assert (await client.get("/admin")).status_code == 200

    async with browser(context, app) as other:
        waiting = await enter(other)
        assert waiting.headers["location"] == "/admin/login/code"
        cookie = other.cookies[COOKIE]
        for path in ("/admin", ACCOUNT, f"{ACCOUNT}/authenticator"):
            assert (await other.get(path)).status_code == 401, "the password alone opens nothing"
        code = await code_of(context, "mia@example.com")
        entered = await send_form(
            other, "/admin/login/code", "/admin/login/code", {"code": f" {code[:3]} {code[3:]}"}
        )
        assert (entered.status_code, entered.headers["location"]) == (303, "/admin")
        assert other.cookies[COOKIE] != cookie
        assert (await other.get("/admin")).status_code == 200
        for again in (code, codes[0], codes[0].lower()):
            async with browser(context, app) as third:
                await enter(third)
                tried = await send_form(third, "/admin/login/code", "/admin/login/code", {"code": again})
                assert tried.status_code == (303 if again == codes[0] else 401)
        assert "9 recovery codes are left" in (await other.get(ACCOUNT)).text
        assert (await other.post("/admin/login/code", data={"code": code})).headers["location"] == "/admin"
    async with browser(context, app) as guesser, browser(context) as elsewhere:
        await enter(guesser)
        elsewhere.cookies = guesser.cookies
        at_once = (
            send_form(each, "/admin/login/code", "/admin/login/code", {"code": "WRONG"})
            for each in (guesser, elsewhere) * MOST[Guess.code]
        )
        statuses = Counter([each.status_code for each in await asyncio.gather(*at_once)])
        assert statuses.keys() == {401, 429}
        assert statuses[401] < MOST[Guess.code], "two web processes count together, and at once"
        limited = await send_form(guesser, "/admin/login/code", "/admin/login/code", {"code": codes[1]})
        assert limited.status_code == 429
    actions = set(await session.scalars(select(AuditEntry.action)))
    assert {AuditAction.second_factor_set, AuditAction.recovery_code_used, AuditAction.signed_in} <= actions


async def test_secrets_of_authenticators_move_to_a_new_key(context, brand, session):
    await add_with_password(context, brand)
    former = "a key for tests alone, of no worth"
    await session.execute(update(Staff).values(sealed_totp=Tokens(former).seal("SECRET")))
    new = Tokens("another key, as long as a key must be", [former])
    assert await reseal_totp(session, new, brand.id) == 1
    assert await reseal_totp(session, new, brand.id) == 0
    assert new.is_present((await session.scalars(select(Staff.sealed_totp))).one())


def test_every_form_that_posts_carries_the_token_of_its_session():
    """But those before a sign-in, which have no session yet."""
    without = []
    for path in sorted((ROOT / "templates" / "web" / "admin").glob("*.html")):
        for form in re.findall(r"<form method=\"post\".*?</form>", path.read_text(), re.DOTALL):
            before_a_session = re.search(r'action="/admin/login(/link|/\{\{ token \}\})?"', form)
            if not before_a_session and "csrf" not in form:
                without.append(f"{path.name}: {form[:80]}")
    assert without == []


@pytest.fixture
def production(context):
    settings = context.settings.model_copy(
        update={"env": Environment.production, "public_url": "https://nps.example"}
    )
    return replace(context, settings=settings)


async def test_an_administrator_in_production_sets_up_an_authenticator_first(production, brand, shop):
    async with browser(production) as client:
        await client.post(await link_for(production, brand))
        assert client.cookies["__Host-tenfold_session"]
        for path in ("/admin", "/outbox"):
            led = await client.get(path)
            assert (led.status_code, led.headers["location"]) == (303, f"{ACCOUNT}/authenticator")
        assert len(await set_up(client, production)) == RECOVERY_CODES
        assert (await client.get("/admin")).status_code == 200
        kept = await send_form(client, ACCOUNT, f"{ACCOUNT}/authenticator/remove")
        assert kept.json()["code"] == "second_factor_required"
        await client.post(await link_for(production, brand, Role.marketer, "eve@example.com"))
        assert (await client.get("/admin")).status_code == 200, "others choose"


async def test_who_signed_in_long_ago_shows_once_more_who_they_are(context, brand, shop, session, client):
    await add_with_password(context, brand)
    await enter(client)
    await session.execute(update(StaffSession).values(confirmed_at=NOW - timedelta(days=1)))
    await session.commit()
    led = await client.get(f"{ACCOUNT}/authenticator")
    assert led.headers["location"] == f"{ACCOUNT}/confirm?next={ACCOUNT}/authenticator"
    refused = await send_form(client, ACCOUNT, f"{ACCOUNT}/password", {"password": "another password"})
    assert refused.headers["location"].startswith(f"{ACCOUNT}/confirm?next=")
    page = led.headers["location"]
    wrong = await send_form(client, page, f"{ACCOUNT}/confirm", {"password": "wrong"})
    assert wrong.status_code == 422
    right = {"password": PASSWORD, "back_to": f"{ACCOUNT}/authenticator"}
    done = await send_form(client, page, f"{ACCOUNT}/confirm", right)
    assert (done.status_code, done.headers["location"]) == (303, f"{ACCOUNT}/authenticator")
    assert (await client.get(f"{ACCOUNT}/authenticator")).status_code == 200


async def test_a_person_is_invited_joins_and_sees_what_their_role_may(context, brand, shop, session, client):
    mia = await add_with_password(context, brand)
    actor = Actor(ActorKind.staff, brand.id, mia, sees_people=True)
    async with context.sessions.begin() as other:
        zoe = await invite(other, brand.id, "Zoe@Example.com", Role.support, actor=actor, now=clock.now())
    first = await mailed_link(context, "zoe@example.com")
    (mail,) = await mails_to(context, "zoe@example.com")
    assert "mia@example.com invites you" in mail.text
    async with context.sessions.begin() as other:
        await resend_invitation(other, brand.id, zoe, actor=actor, now=clock.now())
    second = await mailed_link(context, "zoe@example.com")
    assert first != second
    assert (await client.get(first)).status_code == 404, "the link before works no more"
    shown = await client.get(second)
    assert "Accept the invitation" in shown.text
    joined = await client.post(second)
    assert (joined.status_code, joined.headers["location"]) == (303, ACCOUNT)
    person = await find_signed_in(session, context.tokens, client.cookies[COOKIE], now=clock.now())
    assert (person.role, person.proven) == (Role.support, True)
    await session.commit()
    now = clock.now()
    for again in (
        invite(session, brand.id, "zoe@example.com", Role.admin, actor=actor, now=now),
        resend_invitation(session, brand.id, zoe, actor=actor, now=now),
    ):
        with pytest.raises(AppError, match=r"in the team already|has joined"):
            await again
    await session.rollback()
    async with context.sessions.begin() as other:
        await change_staff(other, brand.id, zoe, Role.viewer, None, actor=actor)
    person = await find_signed_in(session, context.tokens, client.cookies[COOKIE], now=clock.now())
    assert person.role is Role.viewer, "a lower role holds at once"


async def test_an_invitation_expires_and_needs_a_shop_to_write_for(context, brand, session):
    actor = cli_actor(brand.id)
    with pytest.raises(AppError, match="add one first"):
        await invite(session, brand.id, "zoe@example.com", Role.viewer, actor=actor, now=NOW)
    await session.rollback()
    async with context.sessions.begin() as other:
        await add_shop(other, context.tokens, brand, "acme", name="Acme", actor=actor)
        await invite(
            other, brand.id, "zoe@example.com", Role.viewer, actor=actor, now=clock.now() - INVITATION_LASTS
        )
    async with browser(context) as client:
        over = await client.post(await mailed_link(context, "zoe@example.com"))
        assert (over.status_code, "send the invitation again" in over.text) == (410, True)


async def test_removal_ends_sessions_links_mail_and_keys(context, brand, shop, session, client):
    await client.post(await link_for(context, brand))
    zoe = await add_with_password(context, brand, email="zoe@example.com")
    boss = Actor(ActorKind.staff, brand.id, zoe, sees_people=True)
    mia = await session.scalar(select(Staff.id).where(Staff.email == "mia@example.com"))
    own = Actor(ActorKind.staff, brand.id, mia, sees_people=True)
    async with context.sessions.begin() as other:
        first, _ = await create_key(other, brand.id, [Scope.admin], actor=own)
        program = Actor(ActorKind.api_key, brand.id, first.id)
        second, _ = await create_key(other, brand.id, [Scope.read], actor=program)
        await create_key(other, brand.id, [Scope.read], actor=boss)
        with pytest.raises(AppError, match="cannot change or remove yourself"):
            await remove_staff(other, brand.id, mia, actor=own)
    await client.post("/admin/login/link", data={"email": "mia@example.com"})
    path = await mailed_link(context, "mia@example.com")
    async with context.sessions.begin() as other:
        assert (await remove_staff(other, brand.id, mia, actor=boss)).keys_ended == 2
    assert (await client.get("/admin")).status_code == 401
    assert (await client.post(path)).status_code == 404
    left = await session.scalars(select(ApiKey.id).where(ApiKey.revoked_at.is_(None)))
    assert {first.id, second.id}.isdisjoint(left)
    (message,) = (await session.scalars(select(Message).where(Message.customer_id.is_(None)))).all()
    assert (message.address, message.template_params) == (None, {})
    assert await session.scalar(select(func.count()).select_from(LoginLink)) == 0


async def test_keys_may_be_kept_and_end_with_the_role_of_an_administrator(context, brand, session):
    actors = [
        Actor(ActorKind.staff, brand.id, await add_with_password(context, brand, email=f"{name}@x.example"))
        for name in ("a", "b", "c")
    ]
    async with context.sessions.begin() as other:
        for actor in actors:
            await create_key(other, brand.id, [Scope.read], actor=actor)
        kept = await remove_staff(other, brand.id, actors[0].id, actor=actors[1], keep_keys=True)
        assert kept.keys_ended == 0
        changed = await change_staff(other, brand.id, actors[2].id, Role.marketer, None, actor=actors[1])
        assert changed.keys_ended == 1
    owners = await session.scalars(select(ApiKey.made_by).where(ApiKey.revoked_at.is_(None)))
    assert list(owners) == [actors[1].id, actors[1].id]


async def test_only_who_has_proven_their_address_goes_on_to_another_brand(
    context, brand, shop, session, client
):
    """Else whoever adds an address could enter the other brands of its owner."""
    async with context.sessions.begin() as other:
        rival = await add_brand(other, "rival", name="Rival")
        await add_shop(other, context.tokens, rival, "rival", name="Rival", actor=cli_actor(rival.id))
    await link_for(context, rival, Role.viewer)
    await client.post(await link_for(context, brand))
    page = await client.get("/admin/brands")
    assert "Rival" not in page.text
    stolen = await client.post("/admin/brands", data={"csrf": await _token(client), "brand": "rival"})
    assert stolen.status_code == 404
    await client.post("/admin/login/link", data={"email": "mia@example.com"})
    await client.post(await mailed_link(context, "mia@example.com"))
    before = await find_signed_in(session, context.tokens, client.cookies[COOKIE], now=clock.now())
    assert "Go on to Rival" in (await client.get("/admin/brands")).text
    gone = await client.post("/admin/brands", data={"csrf": await _token(client), "brand": "rival"})
    assert (gone.status_code, gone.headers["location"]) == (303, "/admin")
    person = await find_signed_in(session, context.tokens, client.cookies[COOKIE], now=clock.now())
    assert (person.brand_id, person.role) == (rival.id, Role.viewer)
    times = person.times.confirmed_at, person.times.expires_at
    assert times == (before.times.confirmed_at, before.times.expires_at), "going on proves nothing anew"
    assert len(await list_sessions(session, brand.id, person.staff_id, now=clock.now())) == 0


async def _token(client):
    return form_token((await client.get(ACCOUNT)).text)


async def test_a_person_sees_and_ends_their_own_sessions_alone(context, brand, shop, session, app, client):
    await add_with_password(context, brand)
    await add_with_password(context, brand, email="eve@example.com")
    await enter(client)
    async with browser(context, app) as second, browser(context, app) as eve:
        await enter(second)
        await enter(eve, "eve@example.com")
        shown = (await client.get(ACCOUNT)).text
        (theirs,) = re.findall(r"/sessions/(ses_\w+)/end", shown)
        assert shown.count("Firefox, Windows") == 2
        assert (await send_form(eve, ACCOUNT, f"{ACCOUNT}/sessions/{theirs}/end")).status_code == 404
        assert (await second.get("/admin")).status_code == 200
        assert (await send_form(client, ACCOUNT, f"{ACCOUNT}/sessions/{theirs}/end")).status_code == 303
        assert (await second.get("/admin")).status_code == 401
        await enter(second)
        await send_form(client, ACCOUNT, f"{ACCOUNT}/sessions/end")
        assert (await second.get("/admin")).status_code == 401
        assert [(await each.get("/admin")).status_code for each in (client, eve)] == [200, 200]


async def test_staff_are_added_once_and_get_another_role(context, brand, session):
    actor = cli_actor(brand.id)
    first = await add_staff(session, brand.id, "Mia@Example.com ", Role.viewer, actor=actor)
    assert await add_staff(session, brand.id, "mia@example.com", Role.admin, actor=actor) == first
    with pytest.raises(AppError, match="no e-mail address"):
        await add_staff(session, brand.id, "mia", Role.viewer, actor=actor)
    with pytest.raises(AppError, match="an admin has all"):
        await add_staff(session, brand.id, "mia@example.com", Role.admin, actor=actor, shops=["acme"])
    with pytest.raises(AppError, match="has no shop 'x'"):
        await add_staff(session, brand.id, "mia@example.com", Role.viewer, actor=actor, shops=["x"])
