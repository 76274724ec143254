"""Providers' single reports are committed in groups, brand by brand."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import event, func, select

from app.base.actor import cli_actor
from app.brands.add import add_brand, add_shop
from app.brands.programme import Channel
from app.messaging.event_inbox import EventInbox, NotStored
from app.messaging.models import Message, ProviderEvent
from app.messaging.provider_events import ParsedProviderEvent
from app.messaging.rules import MessageStatus, ProviderEventKind
from tests.support.constants import NOW
from tests.support.fakes.sent import put_message

MANY = 200


def delivered(shop, attempt_id) -> ParsedProviderEvent:
    return ParsedProviderEvent(
        shop.brand_id,
        attempt_id,
        "twilio",
        f"SM{attempt_id}:delivered",
        ProviderEventKind.delivered,
        None,
        NOW,
    )


async def texts_to(context, shop, count: int) -> list[ParsedProviderEvent]:
    """The reports that `count` texts were delivered."""
    events = []
    async with context.sessions.begin() as session:
        for number in range(count):
            phone = f"+4915112{number:06}"
            _, (attempt,) = await put_message(session, shop, phone, now=NOW, channel=Channel.sms)
            events.append(delivered(shop, attempt))
    return events


async def count_delivered(context) -> int:
    async with context.sessions() as session:
        return await session.scalar(
            select(func.count()).select_from(Message).where(Message.status == MessageStatus.delivered)
        )


@pytest.fixture
async def other_shop(context):
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "other", name="Other")
        shop, _ = await add_shop(
            session, context.tokens, brand, "other", name="Other", actor=cli_actor(brand.id)
        )
    return shop


async def test_reports_that_arrive_together_are_committed_together(context, shop):
    events = await texts_to(context, shop, MANY)
    commits = []
    event.listen(context.engine.sync_engine, "commit", commits.append)
    inbox = EventInbox(context)

    await asyncio.gather(*(inbox.record(each) for each in events))

    assert await count_delivered(context) == MANY
    # One for the first report and one for those that waited meanwhile.
    assert len(commits) <= 3


async def test_a_brand_whose_rows_are_locked_holds_up_no_other(context, shop, other_shop):
    (slow,) = await texts_to(context, shop, 1)
    others = await texts_to(context, other_shop, 3)
    inbox = EventInbox(context)
    async with context.sessions() as session:
        await session.execute(select(Message).where(Message.brand_id == shop.brand_id).with_for_update())
        waiting = asyncio.create_task(inbox.record(slow))
        await asyncio.gather(*(inbox.record(each) for each in others))
        assert not waiting.done()
        await session.rollback()
    await waiting

    assert await count_delivered(context) == 4


async def test_one_report_that_cannot_be_stored_spoils_no_other(context, shop):
    events = await texts_to(context, shop, 5)
    # No text of PostgreSQL holds this character.
    events[2] = replace(events[2], external_id="SM\0")
    inbox = EventInbox(context)

    outcomes = await asyncio.gather(*(inbox.record(each) for each in events), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        type(None),
        NotStored,
        type(None),
        type(None),
    ]
    async with context.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(ProviderEvent)) == 4
    assert await count_delivered(context) == 4
