"""Replies to answers: who may be written to, what they get, when an answer counts as answered."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from app.admin.rules import Role, Scope
from app.base import clock
from app.base.audit import AuditAction, AuditEntry
from app.base.due import sweep_once
from app.base.ids import public_id
from app.base.tokens import Subject
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.rules import ContactOptions, NoContactReason, SuppressionReason
from app.ingest.erase import erase_rows
from app.messaging.models import Message
from app.messaging.render import fill
from app.surveys.models import Response, ResponseEvent
from app.surveys.replied import sweep
from app.surveys.respond import NewResponse, record_response
from app.surveys.retain import brands_with_old_replies, delete_old_replies
from app.surveys.work_rules import ReplyRefusal, reply_refusal
from tests.support.dashboard import browser_of, dashboard_app, sign_in_as
from tests.support.fakes.scripted import Scripted, both
from tests.support.forms import form_token
from tests.support.rendering import ID

WORDS = "Sorry for the <b>bag</b>!\n\n\n\nAnother one\u202e left us."
CLEAN = "Sorry for the <b>bag</b>!\n\nAnother one left us."


@pytest.fixture
async def clients(open_client, brand):
    """By what their key may do, the one that sees people first."""
    return (
        await open_client(brand, Scope.write, Scope.read, Scope.pii),
        await open_client(brand, Scope.write, Scope.read),
    )


@pytest.fixture
def api(clients):
    return clients[0]


def path(response):
    return f"/responses/{public_id('rsp', response.id)}"


async def sent(context):
    """Send what is due at a noon, when texts may be sent too; returns the contents by channel."""
    provider = Scripted()
    noon = (clock.now() + timedelta(days=1)).replace(hour=11, minute=0)
    await sweep_once(both(context, provider), noon)
    return {
        call.channel: fill(call.content, recipient.values)
        for call in provider.calls
        for recipient in call.recipients
    }


def test_who_wrote_first_may_be_answered_without_consent_but_not_against_their_will():
    address = {Channel.email: "ana@example.com"}

    def refused(refusal, **known):
        options = ContactOptions(ID, {}, {Channel.email: refusal}, **known)
        return reply_refusal(options, Channel.email)

    assert refused(NoContactReason.no_consent, without_consent=address) is None
    assert refused(NoContactReason.unsubscribed) is ReplyRefusal.unsubscribed
    assert refused(NoContactReason.no_address) is ReplyRefusal.no_address
    assert refused(NoContactReason.no_address, erased=True) is ReplyRefusal.erased
    assert reply_refusal(ContactOptions(ID, address, {}), Channel.email) is None


async def test_a_reply_is_sent_once_and_marks_the_answer_once_it_is_accepted(context, session, rows, api):
    ana = await rows.customer(country="DE", phone="+4915112345000", first_name="Ana")
    low = await rows.answer(2, customer=ana, comment="The bag\narrived open")
    await session.commit()
    ways = (await api.get(path(low))).json()["reply_by"]
    assert [(way["channel"], way["allowed"], way["address"]) for way in ways] == [
        ("email", True, ana.email),
        ("sms", True, "+4915112345000"),
    ]
    body = {"channel": "email", "text": WORDS.replace("\u202e", "")}
    shown = (await api.post(f"{path(low)}/reply/preview", json=body)).json()
    assert shown["subject"] == "Ihre Antwort an Acme Goods"
    assert f"Guten Tag Ana,\n\n{CLEAN}\n\nAcme Goods\n" in shown["text"]
    assert '"The bag\narrived open"' in shown["text"]
    assert "Sorry for the &lt;b&gt;bag&lt;/b&gt;!<br />\n<br />\nAnother one left us." in shown["html"]
    assert "•••" in shown["text"], "its links open nothing"
    reply = f"{path(low)}/reply"
    clicks = await asyncio.gather(*(api.post(reply, json={**body, "version": 0}) for _ in range(3)))
    for done in clicks:
        assert done.status_code == 201, done.text
        assert (done.json()["state"], done.json()["replying"], done.json()["version"]) == ("open", True, 1)
    late = await api.post(f"{path(low)}/reply", json={**body, "text": "Another", "version": 0})
    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    count = "SELECT count(*) FROM messages WHERE template = 'reply'"
    assert await session.scalar(text(count)) == 1, "however often and fast it was pressed"
    mails = await sent(context)
    assert CLEAN in mails[Channel.email].text
    detail = (await api.get(path(low))).json()
    assert (detail["state"], detail["replying"], detail["version"]) == ("answered", False, 2)
    assert [(each["kind"], each["text"]) for each in detail["events"]] == [("replied", CLEAN)]
    assert [(each["channel"], each["status"]) for each in detail["replies"]] == [("email", "accepted")]
    await session.execute(update(Message).where(Message.template == "reply").values(step=4))
    await session.commit()
    by_text = await api.post(f"{path(low)}/reply", json={"channel": "sms", "text": "Is it well now?"})
    assert by_text.status_code == 201
    assert "Acme Goods: Is it well now?" in (await sent(context))[Channel.sms].text
    assert await session.scalar(select(AuditEntry.action).limit(1).order_by(AuditEntry.id.desc())) == (
        AuditAction.response_replied
    )
    assert "was handed to the provider" not in str(detail)
    timeline = (await api.get(f"/customers/{public_id('cus', ana.id)}")).json()["timeline"]
    assert any("reply" in entry["text"] for entry in timeline)


async def test_what_is_refused_is_said_and_what_fails_leaves_the_answer_open(context, session, rows, clients):
    api, blind = clients
    ana = await rows.customer(phone="+4915112345000")
    low, other = await rows.answer(2, customer=ana), await rows.answer(3)
    await session.commit()
    email = {"channel": "email", "text": "Hello"}

    async def refused(body, response=low):
        answer = await api.post(f"{path(response)}/reply", json=body)
        return answer.status_code, answer.json()["code"]

    assert await refused({"channel": "email", "text": " \n "}) == (422, "empty_reply")
    assert await refused({"channel": "sms", "text": "x" * 601}) == (422, "reply_too_long")
    assert await refused({"channel": "sms", "text": "Hello"}, other) == (409, "reply_refused")
    assert (await blind.post(f"{path(low)}/reply", json=email)).json()["code"] == "missing_scope"
    assert (await blind.post(f"{path(low)}/reply/preview", json=email)).status_code == 403
    masked = (await blind.get(path(low))).json()["reply_by"]
    assert [way["address"] for way in masked] == ["a***@***", "***00"]
    assert (await api.post(f"{path(low)}/reply", json=email)).status_code == 201
    async with context.sessions.begin() as writing:
        for channel, address, reason in (
            (Channel.email, ana.email, SuppressionReason.unsubscribed),
            (Channel.sms, ana.phone, SuppressionReason.stopped),
        ):
            await suppress(
                writing, context.tokens, rows.brand.id, channel, [address], reason, now=clock.now()
            )
    assert await sent(context) == {}, "they unsubscribed before it left"
    detail = (await api.get(path(low))).json()
    assert (detail["state"], detail["replies"][0]["status"]) == ("open", "suppressed")
    assert {way["reason"] for way in detail["reply_by"]} == {"unsubscribed"}
    assert await refused(email) == (409, "reply_refused")
    async with context.sessions.begin() as writing:
        await erase_rows(writing, context.tokens, rows.brand, [ana.id], now=clock.now())
    assert await refused(email) == (410, "erased")
    detail = (await api.get(path(low))).json()
    assert {way["reason"] for way in detail["reply_by"]} == {"erased"}
    assert [each["text"] for each in detail["events"]] == [None]
    assert await session.scalar(select(Message.template_params).where(Message.template == "reply")) == {}


async def test_an_acceptance_marks_what_was_replied_to_and_nothing_newer(context, session, rows, api):
    changed, locked, decided = [await rows.answer(2, answered_at=clock.now()) for _ in range(3)]
    await session.commit()
    for each in (changed, locked, decided):
        body = {"channel": "email", "text": "Hello"}
        assert (await api.post(f"{path(each)}/reply", json=body)).status_code == 201
    async with context.sessions.begin() as writing:
        await record_response(
            writing,
            context.tokens,
            Subject(rows.brand.id, changed.survey_id),
            NewResponse(3, "And late"),
            now=clock.now(),
        )
    await api.patch(path(decided), json={"state": "closed"})
    async with context.sessions.begin() as holding:
        await holding.execute(select(Response).where(Response.id == locked.id).with_for_update())
        assert await sent(context)

    async def states():
        return [(await api.get(path(each))).json()["state"] for each in (changed, locked, decided)]

    assert await states() == ["open", "open", "closed"]
    assert await sweep_once(sweep(context), clock.now()) == 1
    assert await sweep_once(sweep(context), clock.now()) == 0
    assert await states() == ["open", "answered", "closed"]
    later = clock.now() + timedelta(days=1)
    assert await brands_with_old_replies(session, later) == [rows.brand.id]
    assert await delete_old_replies(session, rows.brand.id, later, 10) == 3
    assert await brands_with_old_replies(session, later) == []
    kept = await session.execute(text("SELECT count(*) FROM messages WHERE template_params <> '{}'"))
    assert kept.scalar_one() == 3, "those of the surveys"
    assert (await session.scalars(select(ResponseEvent.text))).all().count(None) == 3


async def test_a_reply_is_read_before_it_is_sent(context, brand, shop, session, rows):
    low = await rows.answer(2, comment="The bag arrived open")
    await session.commit()
    shown = public_id("rsp", low.id)
    page, act = f"/admin/answers?answer={shown}", f"/admin/answers/{shown}/reply?state=open"
    async with browser_of(dashboard_app(context)) as client:
        await sign_in_as(client, context, brand, Role.support)
        opened = (await client.get(page)).text
        assert "Preview the reply" in opened
        assert "They gave no phone number." in opened
        form = {"csrf": form_token(opened), "channel": "email", "version": "0", "step": "preview"}
        preview = await client.post(act, data={**form, "text": "Sorry!\r\nTo you"})
        assert preview.status_code == 200
        assert "Sorry!\nTo you" in preview.text
        assert "Send it" in preview.text
        edited = {**form, "step": "send", "text": "Sorry again", "shown": "Sorry!\r\nTo you"}
        assert "Sorry again" in (await client.post(act, data=edited)).text, "shown, not sent"
        empty = await client.post(act, data={**form, "text": ""})
        assert (empty.status_code, "Write something first." in empty.text) == (422, True)
        assert await session.scalar(select(ResponseEvent.id)) is None
        for _ in range(2):
            done = await client.post(act, data={**edited, "shown": "Sorry again"})
            assert done.headers["location"] == f"/admin/answers?state=open&answer={shown}"
        worked = (await client.get(page)).text
        assert "The reply is planned." in worked
        assert "replied by e-mail, which is planned" in worked
        await sent(context)
        assert "replied by e-mail, which was handed to the provider" in (await client.get(page)).text
        late = await client.post(act, data={**edited, "text": "Once more", "shown": "Once more"})
        assert "Meanwhile support@example.com replied by e-mail" in late.text
        assert "Once more" in late.text, "nothing that was written is lost"
        assert await session.scalar(text("SELECT count(*) FROM messages WHERE template = 'reply'")) == 1
