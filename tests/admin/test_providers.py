"""A brand's own accounts by the API: tried, saved, shown without secrets, removed."""

from urllib.parse import quote

import pytest
from sqlalchemy import select

from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry, AuditValue
from app.base.config import Environment
from app.base.due import sweep_once
from app.brands.change import change_domains
from app.brands.programme import Channel
from app.messaging.models import ProviderAccount
from app.messaging.own_providers import OwnProviders
from app.messaging.send_sweeps import sweep
from app.wiring import own_provider
from tests.support.constants import NOW
from tests.support.factories.messages import queue
from tests.support.fakes.mail_server import PASSWORD, USER, FakeMailServer
from tests.support.fakes.scripted import Scripted
from tests.support.fakes.sendgrid import KEY, FakeSendGrid
from tests.support.fakes.server import Fault
from tests.support.fakes.twilio import ACCOUNT, AUTH_TOKEN, SERVICE, FakeTwilio


@pytest.fixture
async def clients(context, brand, shop, open_client):
    async with context.sessions.begin() as session:
        await change_domains(session, brand.id, add=["acme.example"], actor=cli_actor(brand.id))
    return await open_client(brand, Scope.admin), await open_client(brand, Scope.write)


async def test_a_brands_own_mail_server_is_tried_saved_and_sends(context, brand, shop, clients):
    admin, _ = clients
    async with FakeMailServer(signs_in=True) as server:
        url = f"smtp://{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}"
        mail = {"provider": "smtp", "credentials": {"url": url}, "from": "hi@acme.example"}
        wrong = mail | {"credentials": {"url": url.replace("@127", "x@127")}}
        refused = await admin.put("/brand/providers/email", json=wrong)
        assert (refused.status_code, refused.json()["code"]) == (422, "provider_refused")
        assert "user or password" in refused.json()["detail"]
        context.settings.env = Environment.production
        private = await admin.put("/brand/providers/email", json=mail)
        assert (private.status_code, private.json()["code"]) == (422, "provider_refused")
        assert "not a public one" in private.json()["detail"]
        context.settings.env = Environment.development
        nobody = mail | {"credentials": {"url": url.replace(str(server.port), "1")}}
        lost = await admin.put("/brand/providers/email", json=nobody)
        assert (lost.status_code, lost.json()["code"]) == (503, "provider_unreachable")
        assert (await admin.get("/brand/providers")).json()["data"] == [], "nothing was saved"

        saved = await admin.put("/brand/providers/email", json=mail)
        assert saved.status_code == 200, saved.text
        shown = saved.json()
        assert (shown["account"], shown["webhook_url"]) == (f"127.0.0.1:{server.port}", None)
        assert (shown["from"], shown["credentials"]) == ("hi@acme.example", ["url"])
        assert quote(PASSWORD, safe="") not in saved.text
        assert server.taken == [], "nothing was sent"

        shared = Scripted()
        own = OwnProviders(context.tokens, lambda account: own_provider(context, account))
        await queue(context, brand, shop)
        await sweep_once(sweep(context, {Channel.email: shared, Channel.sms: shared}, own), NOW)
        await own.close()
        assert len(server.taken) == 1
        assert shared.calls == []


async def test_an_account_is_tried_saved_shown_without_its_secrets_and_removed(context, brand, clients):
    admin, writer = clients
    async with FakeSendGrid() as sendgrid, FakeTwilio() as twilio:
        context.settings.sendgrid_base_url, context.settings.twilio_base_url = sendgrid.url, twilio.url
        mail = {
            "provider": "sendgrid",
            "credentials": {"api_key": KEY, "event_public_key": sendgrid.public_key},
            "from": "hi@acme.example",
        }
        assert (await writer.put("/brand/providers/email", json=mail)).status_code == 403
        for changed, status, code in (
            ({"credentials": {"api_key": "SG.wrong.key"}}, 422, "provider_refused"),
            ({"credentials": {"api_key": "wrong"}}, 422, "bad_credentials"),
            ({"credentials": {"api_key": KEY, "event_public_key": "A" * 100}}, 422, "bad_credentials"),
            ({"from": "hi@evil.example"}, 422, "domain_not_allowed"),
            ({"from": "acme.example"}, 422, "bad_email"),
            ({"from": "jörg@acme.example"}, 422, "bad_email"),
            ({"provider": "twilio"}, 422, "bad_credentials"),
        ):
            refused = await admin.put("/brand/providers/email", json=mail | changed)
            assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
        sendgrid.fail(Fault.broken)
        lost = await admin.put("/brand/providers/email", json=mail)
        assert (lost.status_code, lost.json()["code"]) == (503, "provider_unreachable")
        async with context.sessions() as session:
            assert (await session.scalars(select(ProviderAccount))).all() == [], "nothing was saved"

        saved = await admin.put("/brand/providers/email", json=mail)
        assert saved.status_code == 200, saved.text
        assert sendgrid.mail == [], "nothing was sent"
        assert sendgrid.spec_faults() == []
        text = {
            "provider": "twilio",
            "credentials": {"account_sid": ACCOUNT, "auth_token": AUTH_TOKEN},
            "from": SERVICE,
        }
        assert (await admin.put("/brand/providers/sms", json=text)).status_code == 200
        assert twilio.texts == []
    listed = (await admin.get("/brand/providers")).json()["data"]
    assert [(each["channel"], each["account"], each["from"]) for each in listed] == [
        ("email", KEY.split(".")[1], "hi@acme.example"),
        ("sms", ACCOUNT, SERVICE),
    ]
    assert listed[0]["webhook_url"].endswith("/hooks/sendgrid/events/acme")
    assert listed[0]["credentials"] == ["api_key", "event_public_key"]
    assert KEY not in str(listed)
    assert AUTH_TOKEN not in str(listed)
    assert (await admin.get("/brand")).json()["email_from"] == "hi@acme.example"

    assert (await admin.delete("/brand/providers/sms")).json()["provider"] == "twilio"
    assert (await admin.delete("/brand/providers/sms")).status_code == 404
    assert [each["channel"] for each in (await admin.get("/brand/providers")).json()["data"]] == ["email"]
    async with context.sessions() as session:
        row = (await session.scalars(select(ProviderAccount))).one()
        wanted = AuditEntry.action.in_([AuditAction.provider_saved, AuditAction.provider_removed])
        actions = (
            await session.scalars(select(AuditEntry.action).where(wanted).order_by(AuditEntry.id))
        ).all()
        audited = str((await session.execute(select(AuditValue.before, AuditValue.after))).all())
    assert KEY not in row.sealed_credentials
    assert actions == [AuditAction.provider_saved, AuditAction.provider_saved, AuditAction.provider_removed]
    assert KEY not in audited
    assert AUTH_TOKEN not in audited
