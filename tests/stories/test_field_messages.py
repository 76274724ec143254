"""What providers and people answer in the field: events that do not name our attempt, blocklists,
STOP in any language, and texts in one alphabet."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from app.base.context import AppContext
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.providers.sendgrid.client import SendGrid
from app.messaging.providers.twilio.client import Twilio
from tests.support.constants import GSM, NOW
from tests.support.fakes.sendgrid import KEY, FakeSendGrid
from tests.support.fakes.twilio import ACCOUNT, AUTH_TOKEN, SERVICE, FakeTwilio, signed
from tests.support.story import Story, an_order, open_story

PUBLIC = "https://nps.example.com"
DUE = NOW + timedelta(hours=72)
Carriers = tuple[Story, FakeSendGrid, FakeTwilio]


@pytest.fixture
async def carriers(context: AppContext, brand: Brand, shop: Shop) -> AsyncIterator[Carriers]:
    async with FakeSendGrid() as mails, FakeTwilio() as texts:
        context.settings.public_url = PUBLIC
        context.settings.sendgrid_event_public_key = mails.public_key
        context.settings.twilio_auth_token = SecretStr(AUTH_TOKEN)
        keys = {"account_sid": ACCOUNT, "auth_token": AUTH_TOKEN, "messaging_service_sid": SERVICE}
        twilio = Twilio(context.tokens, **keys, public_url=PUBLIC, base_url=texts.url)
        sendgrid = SendGrid(context.tokens, api_key=KEY, base_url=mails.url)
        async with open_story(context, brand, {Channel.email: sendgrid, Channel.sms: twilio}) as story:
            yield story, mails, texts
        await sendgrid.close()
        await twilio.close()


async def ask(story: Story, *customers: dict[str, Any]) -> None:
    """Each of these customers is sent a survey about an order."""
    for number, customer in enumerate(customers, 1):
        order = an_order(number, NOW - timedelta(days=4), email=f"{number}@example.com", customer=customer)
        await story.deliver("order.paid", order)
        await story.deliver("order.delivered", {"order_id": order["id"], "at": NOW.isoformat()})
    await story.at(DUE)


async def suppressed(story: Story, channel: str) -> set[str]:
    """The e-mail addresses of customers who get nothing more by this channel."""
    found = set()
    for row in await story.api("/customers", limit="100"):
        person = await story.api(f"/customers/{row['id']}/export")
        if any(
            each["channel"] == channel and each["lifted_at"] is None
            for customer in person["customers"]
            for each in customer["suppressions"]
        ):
            found.add(row["email"])
    return found


BOUNCES: list[tuple[dict[str, Any], str, bool]] = [
    ({"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 no such user"}, "bounced", True),
    ({"event": "bounce", "type": "bounce", "status": "5.1.10", "reason": "null MX"}, "bounced", True),
    ({"event": "bounce", "type": "bounce", "status": "5.7.1", "reason": "554 listed at zen.spamhaus.org"}, "failed", False),
    ({"event": "bounce", "type": "bounce", "status": "5.0.0", "reason": "550 rejected, see Barracuda Reputation"}, "failed", False),
    ({"event": "bounce", "type": "bounce", "status": "5.2.2", "reason": "552 mailbox full"}, "failed", False),
    ({"event": "spamreport"}, "complained", True),
]  # fmt: skip


async def test_a_bounce_without_our_arguments_is_of_its_message_and_only_bad_addresses_are_suppressed(
    carriers: Carriers,
) -> None:
    story, mails, _ = carriers
    await ask(story, *[{}] * len(BOUNCES))
    of = {mail.to: mail for mail in mails.mail}
    events = [
        {
            "email": f"{number}@EXAMPLE.com",
            "timestamp": int(time.time()),
            "sg_event_id": f"e{number}",
            "sg_message_id": f"{of[f'{number}@example.com'].message_id}.recvd-69d4-{number}",
            **event,
        }
        for number, (event, *_) in enumerate(BOUNCES, 1)
    ]
    body, headers = mails.signed(events)
    for _ in range(2):
        assert (
            await story.client.post("/hooks/sendgrid/events", content=body, headers=headers)
        ).status_code == 200
    emails = {row["id"]: row["email"] for row in await story.api("/customers")}
    statuses = {emails[row["customer"]]: row["status"] for row in await story.api("/messages")}
    assert [statuses[f"{number}@example.com"] for number in range(1, 1 + len(BOUNCES))] == [
        status for _, status, _ in BOUNCES
    ]
    assert await suppressed(story, "email") == {
        f"{number}@example.com" for number, (*_, ends) in enumerate(BOUNCES, 1) if ends
    }


async def test_stop_is_read_in_peoples_languages_and_a_text_has_one_alphabet(carriers: Carriers) -> None:
    story, _, texts = carriers
    await story.terms(survey={"channels": ["sms"]})
    await story.client.patch(
        "/api/v1/brand",
        json={"name": "Fjäll\u2019s \u201eLädchen\u201c \u2014 Åre"},
        headers={"Authorization": f"Bearer {story.key}"},
    )
    replies = [
        "Arr\u00eat\u00e9!",
        "ALTO",
        "\uff2f\uff30\uff34\uff2f\uff35\uff34",
        "Bitte abmelden",
        "10 great",
        "basta una volta l'anno",
    ]
    await ask(
        story,
        *[{"phone": f"+3361234567{number}", "sms_consent": True} for number in range(1, 1 + len(replies))],
    )
    assert {text.to for text in texts.texts} == {
        f"+3361234567{number}" for number in range(1, 1 + len(replies))
    }
    assert all('Fjäll\'s "Lädchen" - Åre' in text.body and set(text.body) <= GSM for text in texts.texts)
    for number, reply in enumerate(replies, 1):
        form = {
            "MessageSid": f"SM{number}",
            "From": f"+3361234567{number}",
            "Body": reply,
            "To": "+15005550006",
        }
        body, headers = signed(PUBLIC + "/hooks/twilio/inbound", form)
        assert (
            await story.client.post("/hooks/twilio/inbound", content=body, headers=headers)
        ).status_code == 200
    assert await suppressed(story, "sms") == {f"{number}@example.com" for number in (1, 2, 3, 4)}
