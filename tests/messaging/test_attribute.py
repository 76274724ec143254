"""Provider events that name no attempt of ours, and refusals that pass."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.base.context import AppContext
from app.brands.models import Shop
from app.brands.programme import Channel
from app.customers.models import Suppression
from app.messaging.attribute import attribute
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.provider_events import record_provider_events
from app.messaging.providers.sendgrid.events import read_events
from app.messaging.providers.twilio.events import read_status
from app.messaging.rules import MessageStatus, ProviderEventKind
from tests.support.constants import NOW
from tests.support.fakes.sent import put_message

REF = "Rk7sYq2bTn"


async def put(context: AppContext, shop: Shop, address: str, channel: Channel = Channel.email) -> UUID:
    """The message of an attempt that the provider accepted as `REF`."""
    async with context.sessions.begin() as session:
        message_id, (attempt_id,) = await put_message(session, shop, address, now=NOW, channel=channel)
        provider = "twilio" if channel is Channel.sms else "sendgrid"
        await session.execute(
            update(Attempt).where(Attempt.id == attempt_id).values(provider_ref=REF, provider=provider)
        )
    return message_id


def bounce(**given: Any) -> dict[str, Any]:
    return {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.10",
        "email": "dan@example.com",
        "sg_message_id": f"{REF}.recvd-abc-1",
        "timestamp": int(NOW.timestamp()),
        **given,
    }


async def post(context: AppContext, *events: dict[str, Any]) -> None:
    async with context.sessions.begin() as session:
        parsed = read_events(context.tokens, json.dumps(events).encode(), now=NOW)
        await record_provider_events(session, context.tokens, await attribute(session, parsed), now=NOW)


async def statuses(context: AppContext) -> dict[str | None, MessageStatus]:
    async with context.sessions() as session:
        return {row.address: row.status for row in await session.scalars(select(Message))}


async def suppressed(context: AppContext) -> list[bytes]:
    async with context.sessions() as session:
        return list(await session.scalars(select(Suppression.address_key)))


async def test_bounce_without_our_argument_is_found_by_reference_and_address(
    context: AppContext, shop: Shop
) -> None:
    """One call sends to many under one reference: the address tells them apart."""
    for address in ("dan@example.com", "eve@example.com"):
        await put(context, shop, address)
    for _ in range(2):
        await post(context, bounce(email="Dan@Example.com"))
    assert await statuses(context) == {
        "dan@example.com": MessageStatus.bounced,
        "eve@example.com": MessageStatus.sending,
    }
    assert await suppressed(context) == [context.tokens.address_key("dan@example.com")]
    async with context.sessions() as session:
        [stored] = await session.scalars(select(ProviderEvent))
    assert "dan" not in stored.external_id


@pytest.mark.parametrize(
    "strange",
    [
        {"email": "fay@example.com"},
        {"sg_message_id": "other.recvd"},
        {"sg_message_id": None},
        {"email": None},
    ],
)
async def test_event_of_another_senders_message_is_left_out(
    context: AppContext, shop: Shop, strange: dict[str, Any]
) -> None:
    await put(context, shop, "dan@example.com")
    await post(context, bounce(**strange))
    assert await statuses(context) == {"dan@example.com": MessageStatus.sending}
    assert await suppressed(context) == []


async def test_text_that_failed_is_found_by_its_id_and_number(context: AppContext, shop: Shop) -> None:
    await put(context, shop, "+15558675310", Channel.sms)
    for number in ("+15550000000", "+15558675310"):
        fields = {"MessageSid": REF, "MessageStatus": "undelivered", "ErrorCode": "30005", "To": number}
        form = {name: [value] for name, value in fields.items()}
        event = read_status(context.tokens, "of-another-key", form, now=NOW)
        assert event is not None
        async with context.sessions.begin() as session:
            await record_provider_events(session, context.tokens, await attribute(session, [event]), now=NOW)
    assert await statuses(context) == {"+15558675310": MessageStatus.bounced}
    assert len(await suppressed(context)) == 1


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({"status": "5.7.1", "reason": "554 5.7.1 Service unavailable; blocked using bl.spamcop.net"}, True),
        ({"status": "5.2.2", "reason": "552 5.2.2 mailbox full"}, True),
        ({"status": "5.0.0", "reason": "550 The IP is listed at Spamhaus"}, True),
        ({"status": None, "reason": "552 5.3.4 message too big"}, True),
        ({"status": "5.4.4", "reason": "no route"}, True),
        ({"type": "blocked", "status": "5.1.1"}, True),
        ({"status": "5.1.1", "reason": "550 5.1.1 no such user"}, False),
        ({"status": "5.1.10"}, False),
        ({"status": "5.2.1", "reason": "mailbox disabled"}, False),
        ({"status": "5.0.0", "reason": "unknown recipient at 5.7.1.9"}, False),
        ({"status": "5.7.1", "bounce_classification": "Invalid Address"}, False),
    ],
)
async def test_refusal_that_passes_suppresses_nobody(
    context: AppContext, shop: Shop, given: dict[str, Any], passes: bool
) -> None:
    await put(context, shop, "dan@example.com")
    await post(context, bounce(**given))
    expected = MessageStatus.failed if passes else MessageStatus.bounced
    assert await statuses(context) == {"dan@example.com": expected}
    assert len(await suppressed(context)) == (0 if passes else 1)
    async with context.sessions() as session:
        [kind] = await session.scalars(select(ProviderEvent.kind))
    assert kind is (ProviderEventKind.blocked if passes else ProviderEventKind.bounced)
