"""The whole way with real carriers: settings name SendGrid and Twilio, both are strict doubles over
HTTP, callbacks are signed."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base import clock, due
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.db import WORKER
from app.base.pools import worker_pools
from app.insight.invariants import check
from app.main import create_app
from app.wiring import Parts, open_parts
from app.worker import sweeps_of
from tests.support.constants import NOW, SECRET_KEY
from tests.support.fakes.sendgrid import KEY, FakeSendGrid
from tests.support.fakes.twilio import ACCOUNT, AUTH_TOKEN, SERVICE, FakeTwilio
from tests.support.story import Story, an_order

PHONE = "+33612345678"


@pytest.fixture
async def mails() -> AsyncIterator[FakeSendGrid]:
    async with FakeSendGrid() as fake:
        yield fake


@pytest.fixture
async def texts() -> AsyncIterator[FakeTwilio]:
    async with FakeTwilio() as fake:
        yield fake


@pytest.fixture
async def parts(
    database_url: str, tmp_path: Path, mails: FakeSendGrid, texts: FakeTwilio
) -> AsyncIterator[Parts]:
    settings = load_settings(
        _env_file=None,
        database_url=database_url,
        secret_key=SECRET_KEY,
        home=tmp_path,
        public_url="https://nps.example.com",
        email_provider="sendgrid",
        sendgrid_api_key=KEY,
        sendgrid_base_url=mails.url,
        sendgrid_event_public_key=mails.public_key,
        email_from="hello@acme.example",
        sms_provider="twilio",
        twilio_account_sid=ACCOUNT,
        twilio_auth_token=AUTH_TOKEN,
        twilio_messaging_service_sid=SERVICE,
        twilio_base_url=texts.url,
    )
    async with open_parts(settings, pools=worker_pools(10), limits=WORKER) as parts:
        yield parts


async def test_an_order_becomes_a_survey_a_response_and_an_offer_through_both_providers(
    context, brand, shop, parts, mails, texts
):
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, list(Scope), actor=cli_actor(brand.id))
    public = parts.context.settings.public_url
    async with AsyncClient(transport=ASGITransport(app=create_app(parts)), base_url=public) as client:
        story = Story(parts.context, brand, client, key)
        order = an_order(1, NOW - timedelta(days=4), customer={"phone": PHONE, "sms_consent": True})
        await story.deliver("order.paid", order)
        await story.deliver("order.delivered", {"order_id": "order-1", "at": NOW.isoformat()})
        await due.run_until_idle(sweeps_of(parts), NOW + timedelta(hours=72))
        (survey,) = mails.mail
        assert (survey.to, survey.sender) == ("ana@example.com", "hello@acme.example")
        assert survey.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert "tenfold_attempt" in survey.arguments
        assert "ana@" not in str(survey.arguments)

        link = re.search(rf"{public}(/s/[\w-]+)", survey.text)
        assert link is not None
        assert (await client.post(link[1], data={"score": "10"})).status_code == 303
        # Texts keep to decent hours by the wall clock, mails do not.
        await due.run_until_idle(sweeps_of(parts), clock.now())
        (code,) = await story.api("/codes")
        assert code["code"] in mails.mail[-1].text
        await due.run_until_idle(sweeps_of(parts), (clock.now() + timedelta(days=1)).replace(hour=12))
        (text,) = texts.texts
        assert text.to == PHONE
        assert code["code"] in text.body

        body, headers = mails.signed(mails.events("processed", "delivered"))
        assert (await client.post("/hooks/sendgrid/events", content=body, headers=headers)).status_code == 200
        assert (
            await client.post("/hooks/sendgrid/events", content=body + b" ", headers=headers)
        ).status_code == 401
        path, form, signed = texts.status(text, "delivered")
        assert (await client.post(path, content=form, headers=signed)).status_code == 204
        assert {message["status"] for message in await story.api("/messages")} == {"delivered"}
    async with context.sessions() as session:
        assert await check(session, context.tokens) == []
    assert mails.spec_faults() == []
    assert texts.spec_faults() == []
