"""Messages as they were sent, and their erasure."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.base.context import AppContext
from app.base.due import sweep_once
from app.base.errors import NotFound
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.messaging.as_sent import as_sent
from app.messaging.erase import erase_messages
from app.messaging.models import Message, OutboxItem
from app.messaging.providers.outbox.client import Outbox
from app.messaging.queue import queue_messages
from app.messaging.rules import MessageStatus
from app.messaging.send_sweeps import sweep
from tests.support.constants import NOW
from tests.support.factories.messages import queue
from tests.support.fakes.scripted import Scripted, lose


async def send_all(context: AppContext) -> None:
    outbox = Outbox(context)
    await sweep_once(sweep(context, {Channel.email: outbox, Channel.sms: outbox}), NOW)


async def test_staff_see_a_message_as_sent_with_links_that_do_not_work(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    (wanted,) = await queue(context, brand, shop)
    await send_all(context)
    async with context.sessions() as session:
        message = (await session.scalars(select(Message))).one()
        sent = await as_sent(session, context, brand.id, message.id)
        token = context.tokens.link("survey", brand.id, wanted.subject_id)
        kept = (await session.scalars(select(OutboxItem))).one()
        assert token in kept.text
        assert sent.text is not None
        assert token not in sent.text
        assert "/s/•••?score=9" in sent.text
        assert "/s/•••?score=9" in (sent.html or "")
        assert sent.subject == kept.subject
        with pytest.raises(NotFound):
            await as_sent(session, context, brand.id + 1, message.id)
        with pytest.raises(NotFound):
            await as_sent(session, context, brand.id, new_id())


async def test_an_erased_person_leaves_messages_without_words_or_address(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    wanted = await queue(context, brand, shop, 2)
    await send_all(context)
    gone, stays = wanted
    async with context.sessions.begin() as session:
        await queue_messages(session, brand.id, [replace(gone, step=1)])
        await erase_messages(session, brand.id, [gone.customer_id])
    async with context.sessions() as session:
        left = (
            await session.scalars(
                select(Message).where(Message.customer_id == gone.customer_id).order_by(Message.step)
            )
        ).all()
        assert [(one.status, one.reason) for one in left] == [
            (MessageStatus.accepted, None),
            (MessageStatus.cancelled, "erased"),
        ]
        assert all(one.address is None and one.template_params == {} for one in left)
        assert (await as_sent(session, context, brand.id, left[0].id)).text is None
        (item,) = (await session.scalars(select(OutboxItem))).all()
        assert item.to == stays.address


async def test_an_erased_message_of_unknown_outcome_is_not_sent_again(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    (wanted,) = await queue(context, brand, shop)
    provider = Scripted([lose])
    both = sweep(context, {Channel.email: provider, Channel.sms: provider})
    await sweep_once(both, NOW)
    async with context.sessions.begin() as session:
        await erase_messages(session, brand.id, [wanted.customer_id])
    assert await sweep_once(both, NOW.replace(year=2027)) == 0
    assert len(provider.calls) == 1


async def test_erasing_while_sending_neither_deadlocks_nor_loses_the_outcome(
    context: AppContext, brand: Brand, shop: Shop
) -> None:
    wanted = await queue(context, brand, shop, 50)

    async def erase(customer_ids: list[UUID]) -> None:
        async with context.sessions.begin() as session:
            await erase_messages(session, brand.id, customer_ids)

    ids = [one.customer_id for one in wanted]
    await asyncio.gather(send_all(context), erase(ids[:25]), erase(ids[::-1]), send_all(context))
    async with context.sessions() as session:
        open_ones = (
            select(func.count()).select_from(Message).where(Message.status.in_(["planned", "sending"]))
        )
        assert await session.scalar(open_ones) == 0
