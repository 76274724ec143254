"""The screen of codes: their states, where one works, and what a press does."""

import re

import httpx2
from sqlalchemy import func, select, update

from app.admin.keys import add_key
from app.admin.rules import Role, Scope
from app.base import clock
from app.base.actor import cli_actor
from app.base.ids import public_id
from app.base.paths import ROOT
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.referrals.figures import note_changes, refresh_figures
from app.referrals.models import Code
from app.referrals.publishing.models import CodePublication
from app.referrals.record import take_uses
from app.referrals.rules import PublicationState
from tests.support.apps import api_app
from tests.support.dashboard import sign_in_as
from tests.support.forms import send_form

SOURCES = sorted((ROOT / "app").rglob("*.py"))


async def leaked(rows, session, brand):
    """A code that five strangers used, and one that nobody did."""
    codes = []
    for _ in range(2):
        happy = await rows.answer(10)
        codes.append(await rows.code(happy.customer_id, happy.survey_id))
    for _ in range(5):
        await rows.redemption(codes[0], placed_at=clock.now())
    await note_changes(session, brand.id, [code.referrer_id for code in codes])
    await session.commit()
    await refresh_figures(session, brand.id, now=clock.now())
    await session.commit()
    return codes


async def test_a_leaked_code_is_found_and_replaced_with_one_press(context, brand, session, rows, client):
    code, quiet = await leaked(rows, session, brand)
    path = f"/admin/codes/{public_id('cod', code.id)}"
    await sign_in_as(client, context, brand, Role.marketer)
    suspected = (await client.get("/admin/codes?state=suspected")).text
    assert code.display in suspected
    assert quiet.display not in suspected
    page = (await client.get(path)).text
    assert "This code may have leaked." in page
    assert "5 orders came with it within 30 days, and nobody opened the link." in page
    assert "It counts with every order that names it." in page
    led = await send_form(client, path, f"{path}/replace")
    new = await session.scalar(select(Code).where(Code.active, Code.referrer_id == code.referrer_id))
    assert led.headers["location"] == f"/admin/codes/{public_id('cod', new.id)}"
    assert "Replaced." in (await client.get(led.headers["location"])).text
    assert code.display not in (await client.get("/admin/codes?state=suspected")).text
    assert code.display in (await client.get("/admin/codes?state=disabled")).text
    assert (await send_form(client, path, f"{path}/replace")).headers["location"] == path
    assert "disabled already" in (await client.get(path)).text
    assert (await send_form(client, path, f"{path}/reissue")).headers["location"] == path
    assert "They have a code that works." in (await client.get(path)).text
    await sign_in_as(client, context, brand, Role.viewer)
    assert "Ana Ito" not in (await client.get("/admin/codes")).text


async def test_what_is_no_leak_is_said_once_and_a_lost_message_goes_out_again(
    context, brand, session, rows, client
):
    code, quiet = await leaked(rows, session, brand)
    path = f"/admin/codes/{public_id('cod', code.id)}"
    await sign_in_as(client, context, brand, Role.marketer)
    await send_form(client, path, f"{path}/dismiss")
    assert "may have leaked" not in (await client.get(path)).text
    await note_changes(session, brand.id, [code.referrer_id])
    await session.commit()
    await refresh_figures(session, brand.id, now=clock.now())
    await session.commit()
    assert code.display not in (await client.get("/admin/codes?state=suspected")).text
    message = await session.scalar(select(Message).where(Message.subject_id == code.id))
    other = await session.scalar(select(Message).where(Message.subject_id == quiet.id))
    resend = f"{path}/messages/{public_id('msg', other.id)}/resend"
    assert (await send_form(client, path, resend)).status_code == 404
    await send_form(client, path, f"{path}/messages/{public_id('msg', message.id)}/resend")
    await session.refresh(message)
    assert message.status is MessageStatus.planned
    await send_form(client, path, f"{path}/disable")
    assert "Disabled. It counts no more." in (await client.get(path)).text


async def test_lists_by_state_say_where_a_code_is_missing(context, brand, session, rows, client):
    code, quiet = await leaked(rows, session, brand)
    publication = update(CodePublication).where(CodePublication.code_id == quiet.id)
    failed = {"state": PublicationState.failed, "reason": "The shop has too many codes."}
    await session.execute(publication.values(**failed))
    await session.execute(update(Code).where(Code.id == code.id).values(expires_at=clock.now()))
    await session.commit()
    async with context.sessions.begin() as own:
        key = await add_key(own, brand.id, [Scope.read], actor=cli_actor(brand.id))
    transport = httpx2.ASGITransport(app=api_app(context))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/api/v1", headers=headers) as api:
        for query, found in {
            "": [quiet, code],
            "?state=not_live": [quiet],
            "?state=ended": [code],
            "?state=suspected": [code],
            "?state=disabled": [],
            "?kind=friend": [],
            f"?referrer={public_id('ref', code.referrer_id)}&kind=share": [code],
            "?shop=nosuch": [],
        }.items():
            answer = (await api.get(f"/codes{query}")).json()["data"]
            assert [each["id"] for each in answer] == [public_id("cod", each.id) for each in found], query
        since = (await session.scalar(select(func.clock_timestamp()))).isoformat()
        await take_uses(session, brand.id, {code.id: 1}, now=clock.now())
        await session.commit()
        changed = (await api.get("/codes", params={"updated_since": since})).json()["data"]
        assert [each["id"] for each in changed] == [public_id("cod", code.id)]
        assert (await api.get("/codes?updated_since=yesterday")).json()["code"] == "bad_period"
        detail = (await api.get(f"/codes/{quiet.display.lower()}")).json()
        assert detail["places"][0]["text"] == (
            "The shop refused it: The shop has too many codes. Replace it: a new code is tried at once."
        )
        assert (detail["leak"], len(detail["messages"]), detail["name"]) == (None, 1, "A***")
        leak = (await api.get(f"/codes/{public_id('cod', code.id)}")).json()["leak"]
        assert (leak["reason"], leak["orders"], leak["dismissed_at"]) == ("without_visits", 5, None)
    await sign_in_as(client, context, brand)
    assert "refused" in (await client.get(f"/admin/codes/{public_id('cod', quiet.id)}")).text
    expired = f"/admin/codes/{public_id('cod', code.id)}"
    led = await send_form(client, expired, f"{expired}/reissue")
    assert "This is their new code" in (await client.get(led.headers["location"])).text
    for nonsense in ("?state=x", "?kind=x", "?referrer=x", "?cursor=x"):
        assert (await client.get(f"/admin/codes{nonsense}")).headers["location"] == "/admin/codes"


def test_every_statement_that_changes_codes_says_when():
    changes = re.findall(r"UPDATE codes SET [^\n]*", "".join(each.read_text() for each in SOURCES))
    assert len(changes) >= 2
    assert all("updated_at = " in each for each in changes), changes
