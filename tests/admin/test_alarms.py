"""Alarms are raised once and solved once, mailed, posted to a signed webhook, and shown."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import func, select, text, update
from standardwebhooks import Webhook

from app.admin.alarm_calls import WAITS, make_due_calls
from app.admin.alarm_models import Alarm, AlarmCall, AlarmNotice, AlarmSettings
from app.admin.alarm_settings import set_webhook
from app.admin.alarm_sweep import calls_sweep, sweep
from app.admin.alarm_watch import LATE, check_late_brands
from app.admin.alarms import EVERY, check_brand
from app.admin.codes import CodeState
from app.admin.dashboard import screens
from app.admin.keys import add_key
from app.admin.models import Staff
from app.admin.rules import Role, Scope
from app.admin.staff import add_staff, change_staff, remove_staff
from app.base import clock
from app.base.actor import cli_actor
from app.base.due import sweep_once
from app.base.fence import raise_fence
from app.brands.add import add_brand
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.insight.alarm_rules import AlarmKind, Finding
from app.insight.alarm_texts import alarm_text
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from tests.support.apps import api_app, whole_app
from tests.support.dashboard import browser_of, sign_in_as
from tests.support.fakes.server import FakeProvider, Fault
from tests.support.forms import send_form
from tests.support.staff import mails_to


class Receiver(FakeProvider):
    """Takes what is posted to it."""

    def respond(self, request, call):
        return web.Response(status=204)

    def error_response(self, status):
        return web.Response(status=status)


async def fail_a_delivery(session, brand, shop) -> Delivery:
    row = Delivery(
        brand_id=brand.id,
        shop_id=shop.id,
        source="checkout",
        topic="order.paid",
        external_id="d1",
        body=b"{}",
        status=DeliveryStatus.failed,
        reason="no amount",
        received_at=clock.now(),
    )
    session.add(row)
    await session.commit()
    return row


async def check(context, brand, *, later: timedelta = timedelta()) -> int:
    async with context.sessions.begin() as session:
        return await check_brand(session, brand.id, now=clock.now() + later)


@pytest.fixture
async def team(context, brand):
    """Two administrators who have signed in, one who never did, and a marketer."""
    actor = cli_actor(brand.id)
    async with context.sessions.begin() as session:
        people = {}
        for name, role in (
            ("mia", Role.admin),
            ("zoe", Role.admin),
            ("new", Role.admin),
            ("max", Role.marketer),
        ):
            people[name] = await add_staff(session, brand.id, f"{name}@example.com", role, actor=actor)
        signed_in = Staff.id.in_([people[name] for name in ("mia", "zoe", "max")])
        await session.execute(update(Staff).where(signed_in).values(joined_at=clock.now()))
    return people


async def test_the_web_process_checks_what_no_worker_checks_and_calls_the_webhook(
    context, session, brand, shop
):
    now = clock.now()
    row = await fail_a_delivery(session, brand, shop)
    row.status, row.received_at = DeliveryStatus.new, now - timedelta(minutes=30)
    settings = context.settings.model_copy(update={"local_platforms": True})
    async with Receiver() as receiver:
        async with context.sessions.begin() as other:
            actor = cli_actor(brand.id)
            await set_webhook(other, settings, context.tokens, f"{receiver.url}/in", actor=actor, now=now)
        await session.execute(update(AlarmSettings).values(check_due_at=now - LATE + timedelta(seconds=5)))
        await session.commit()
        web = replace(context, settings=settings)
        assert await check_late_brands(web, now=now) == 0, "a worker may be about to"
        later = now + timedelta(seconds=10)
        found = await asyncio.gather(*(check_late_brands(web, now=later) for _ in range(2)))
        assert max(found) == 1
        assert [json.loads(call.body)["data"]["kind"] for call in receiver.calls] == ["work_stopped"]
        assert await check_late_brands(web, now=later + timedelta(minutes=1)) == 0


async def test_a_brand_that_cannot_be_checked_holds_up_no_other(context, session, brand):
    other = await add_brand(session, "other", name="Other")
    await session.commit()
    now = clock.now()
    for each in (brand, other):
        await check_brand(session, each.id, now=now - timedelta(hours=1))
    await session.execute(
        text(f"""
            CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.brand_id = {brand.id} THEN RAISE EXCEPTION 'broken'; END IF;
                RETURN NEW;
            END $$
        """)
    )
    await session.execute(
        text("CREATE TRIGGER break BEFORE UPDATE ON alarm_settings FOR EACH ROW EXECUTE FUNCTION break()")
    )
    await session.commit()
    assert await check_late_brands(context, now=now) == 2
    rows = await session.execute(select(AlarmSettings.brand_id, AlarmSettings.check_due_at))
    assert {row.brand_id for row in rows if row.check_due_at > now} == {other.id}


async def test_an_alarm_is_mailed_once_however_often_it_is_found_and_once_more_when_it_is_solved(
    context, session, brand, shop, team
):
    failed = await fail_a_delivery(session, brand, shop)
    # Two workers at the same time.
    assert sorted(await asyncio.gather(check(context, brand), check(context, brand))) == [0, 1]
    assert await check(context, brand, later=EVERY) == 0
    (mail,) = await mails_to(context, "mia@example.com")
    assert mail.subject == "To do at Acme Goods: deliveries failed"
    assert "One delivery of Acme could not be processed." in mail.text
    assert "The last one: no amount. Correct it in the shop" in mail.text
    assert "/admin/system" in mail.text
    assert mail.html
    assert "no amount" in mail.html
    assert len(await mails_to(context, "zoe@example.com")) == 1
    for other in ("new", "max"):
        assert await mails_to(context, f"{other}@example.com") == []
    async with context.sessions.begin() as other:
        await remove_staff(other, brand.id, team["zoe"], actor=cli_actor(brand.id))
    assert await mails_to(context, "zoe@example.com") == [], "what was sent to who left is emptied"
    failed.status = DeliveryStatus.processed
    await session.commit()
    assert await check(context, brand, later=2 * EVERY + timedelta(seconds=1)) == 1
    mails = await mails_to(context, "mia@example.com")
    assert [each.subject for each in mails] == [
        "Solved at Acme Goods: deliveries failed",
        "To do at Acme Goods: deliveries failed",
    ]
    assert "nothing left to do" in mails[0].text
    failed.status = DeliveryStatus.failed
    await session.commit()
    assert await check(context, brand, later=4 * EVERY) == 1, "the same again is another alarm"
    count = select(func.count()).select_from(Alarm)
    assert await session.scalar(count) == 2
    assert await session.scalar(select(func.count()).select_from(AlarmNotice)) == 3
    async with context.sessions.begin() as other:
        await change_staff(other, brand.id, team["mia"], Role.viewer, None, actor=cli_actor(brand.id))
    failed.status = DeliveryStatus.processed
    await session.commit()
    assert await check(context, brand, later=6 * EVERY) >= 1
    assert await session.scalar(select(func.count()).where(Message.template == "alarm")) == 4, "she lost it"


async def test_a_brand_without_an_administrator_or_a_shop_has_its_alarms_all_the_same(
    context, session, brand, shop
):
    await fail_a_delivery(session, brand, shop)
    alarms = sweep(context)
    new = await add_brand(session, "new", name="Fresh Start")
    await session.commit()
    assert await alarms.brands(clock.now()) == [brand.id, new.id]
    assert await sweep_once(alarms, clock.now()) == 1
    assert await alarms.brands(clock.now()) == [], "until the next quarter of an hour"
    assert await sweep_once(alarms, clock.now() + timedelta(minutes=16)) == 0, "nothing new"
    row = (await session.scalars(select(Alarm))).one()
    assert (row.subject, row.solved_at) == (shop.slug, None)
    assert await alarms.brands(clock.now() + timedelta(days=2)) == [], "another time than the present"
    await session.execute(update(AlarmSettings).values(check_due_at=clock.now()))
    await session.commit()
    assert await alarms.brands(clock.now()) == [brand.id, new.id]
    await raise_fence(session, "a copy")
    await session.commit()
    assert await alarms.brands(clock.now()) == [], "a fenced copy of the database raises none"


async def test_the_webhook_gets_signed_alarms_and_is_tried_again(context, session, brand, shop, team):
    settings = context.settings.model_copy(update={"local_platforms": True})
    context = replace(context, settings=settings)
    failed = await fail_a_delivery(session, brand, shop)
    actor, now = cli_actor(brand.id), clock.now()
    async with Receiver() as receiver:
        async with context.sessions.begin() as other:
            secret = await set_webhook(
                other, settings, context.tokens, f"{receiver.url}/in", actor=actor, now=now
            )
        assert await check(context, brand) == 1
        receiver.fail(Fault.broken)
        assert await sweep_once(calls_sweep(context), clock.now()) == 1
        assert await make_due_calls(context, brand.id, now=clock.now()) == 0, "not due yet"
        again = clock.now() + WAITS[0] + timedelta(seconds=1)
        assert await make_due_calls(context, brand.id, now=again) == 1
        first, second = receiver.calls
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        body = Webhook(secret).verify(second.body, second.headers)
        assert body["type"] == "alarm.raised"
        assert body["data"]["kind"] == "deliveries_failed"
        assert body["data"]["title"] == "One delivery of Acme could not be processed."
        failed.status = DeliveryStatus.processed
        # The mail about it is sent, as by a worker that runs.
        await session.execute(update(Message).values(status=MessageStatus.accepted))
        await session.commit()
        assert await check(context, brand, later=2 * EVERY) == 1
        receiver.fail(*[Fault.redirect] * 9)
        at = clock.now() + 2 * EVERY
        for _ in range(len(WAITS) + 3):
            at += timedelta(days=2)
            await make_due_calls(context, brand.id, now=at)
        assert len(receiver.calls) == 2 + 1 + len(WAITS)
        assert json.loads(receiver.calls[-1].body)["type"] == "alarm.solved"
    rows = (await session.scalars(select(AlarmCall).order_by(AlarmCall.id))).all()
    assert [each.accepted_at is not None for each in rows] == [True, False]
    assert [each.due_at for each in rows] == [None, None]
    assert rows[1].reason == "Redirected to another address, which is not followed."


async def test_the_settings_by_the_api_and_an_address_of_our_own_network_is_never_called(
    context, session, brand, shop
):
    key = await add_key(session, brand.id, {Scope.admin}, actor=cli_actor(brand.id))
    await session.commit()
    await fail_a_delivery(session, brand, shop)
    await check(context, brand)
    headers = {"Authorization": f"Bearer {key}"}
    transport = ASGITransport(app=api_app(context))
    async with AsyncClient(transport=transport, base_url="http://test/api/v1", headers=headers) as client:
        (alarm,) = (await client.get("/alarms", params={"unsolved": True})).json()["data"]
        assert (alarm["kind"], alarm["subject"], alarm["page"]) == (
            "deliveries_failed",
            "acme",
            "/admin/system",
        )
        shown = (await client.get("/alarms/settings")).json()
        assert shown == {"no_survey_hours": 48, "webhook_url": None, "last_call": None}
        assert (await client.patch("/alarms/settings", json={"no_survey_hours": 23})).status_code == 422
        changed = await client.patch("/alarms/settings", json={"no_survey_hours": 72})
        assert changed.json()["no_survey_hours"] == 72
        assert (await client.post("/alarms/webhook/test")).json()["code"] == "no_webhook"
        plain = await client.put("/alarms/webhook", json={"url": "http://hooks.example"})
        assert plain.json()["code"] == "bad_webhook_url"
        write = {"json": {"url": "https://127.0.0.1/in"}, "headers": {"Idempotency-Key": "k"}}
        made = (await client.put("/alarms/webhook", **write)).json()
        assert made["secret"].startswith("whsec_")
        assert (await client.put("/alarms/webhook", **write)).json()["secret"] is None
        tried = (await client.post("/alarms/webhook/test")).json()
        assert tried == {"accepted": False, "reason": "The address is not a public one."}
        removed = (await client.delete("/alarms/webhook")).json()
        assert removed["webhook_url"] is None
        (entry, *_rest) = (await client.get("/audit")).json()["data"]
        assert (entry["action"], entry["fields_changed"]) == ("alarms_changed", ["webhook_url"])


async def test_alarms_are_on_the_overview_of_administrators_and_have_a_screen(context, session, brand, shop):
    await fail_a_delivery(session, brand, shop)
    await check(context, brand)
    async with browser_of(whole_app(context)) as client:
        await sign_in_as(client, context, brand)
        title = "One delivery of Acme could not be processed."
        path = "/admin/settings/alarms"
        for page in ("/admin?days=1", "/admin/system", path):
            assert title in (await client.get(page)).text
        refused = await send_form(client, path, f"{path}/hours", {"hours": "1"})
        assert refused.status_code == 422
        assert "Give 24 to 336 hours." in refused.text
        await send_form(client, path, f"{path}/hours", {"hours": "96"})
        assert 'value="96"' in (await client.get(path)).text
        refused = await send_form(client, path, f"{path}/webhook", {"address": "javascript:alert(1)"})
        assert refused.status_code == 422
        shown = await send_form(client, path, f"{path}/webhook", {"address": "https://10.0.0.1/in"})
        assert "whsec_" in shown.text
        await send_form(client, path, f"{path}/webhook/test")
        after = (await client.get(path)).text
        assert "The test failed: The address is not a public one." in after
        assert "whsec_" not in after
        await send_form(client, path, f"{path}/webhook/remove")
        assert "Send a test" not in (await client.get(path)).text
        await sign_in_as(client, context, brand, Role.viewer)
        assert title not in (await client.get("/admin?days=1")).text


@pytest.mark.parametrize("kind", AlarmKind)
def test_every_alarm_leads_to_a_screen_that_exists(kind):
    page = f"/admin{alarm_text(Finding(kind, 'acme', name='Acme')).page}"
    path, _, query = page.partition("?")
    assert path in {route.path for route in screens.ROUTES}
    assert query in ("", "status=in_review", f"state={CodeState.suspected}")
