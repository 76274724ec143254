"""A brand's own accounts by the API: tried, saved, shown without secrets, removed."""

import pytest
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import select

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.base.audit import AuditAction, AuditEntry, AuditValue
from app.brands.change import change_domains
from app.messaging.models import ProviderAccount
from tests.support.apps import api_app
from tests.support.fakes.sendgrid import KEY, FakeSendGrid
from tests.support.fakes.server import Fault
from tests.support.fakes.twilio import ACCOUNT, AUTH_TOKEN, SERVICE, FakeTwilio


@pytest.fixture
async def clients(context, brand, shop):
    app = api_app(context)
    async with context.sessions.begin() as session:
        keys = [
            await add_key(session, brand.id, (scope,), actor=cli_actor(brand.id))
            for scope in (Scope.admin, Scope.write)
        ]
        await change_domains(session, brand.id, add=["acme.example"], actor=cli_actor(brand.id))
    opened = [
        AsyncClient(
            transport=ASGITransport(app=app),
            base_url="http://test/api/v1",
            headers={"Authorization": f"Bearer {key}"},
        )
        for key in keys
    ]
    yield opened
    for client in opened:
        await client.aclose()


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
