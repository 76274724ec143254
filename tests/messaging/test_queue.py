"""Queueing and taking back messages."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.models import Customer
from app.messaging.models import Message
from app.messaging.queue import NewMessage, cancel_messages, queue_messages
from app.messaging.rules import MessageStatus
from app.referrals.templates import OFFER
from app.surveys.templates import REMINDER, SURVEY, SurveyParams
from tests.support.constants import NOW


@pytest.fixture
async def customer_id(context: AppContext, brand: Brand) -> UUID:
    async with context.sessions.begin() as session:
        customer = Customer(brand_id=brand.id, email="ana@example.com", first_name="Ana")
        session.add(customer)
        await session.flush()
        return customer.id


def wanted_survey(shop: Shop, customer_id: UUID, *, due_at: datetime = NOW) -> NewMessage:
    template_params = SurveyParams("Ana", "Linen shirt", "1001", "2026-03-03")
    return NewMessage(
        SURVEY,
        new_id(),
        customer_id,
        shop.id,
        Channel.email,
        "ana@example.com",
        "en",
        template_params,
        due_at,
    )


async def all_messages(session: AsyncSession) -> Sequence[Message]:
    return (await session.scalars(select(Message).order_by(Message.id))).all()


async def test_a_message_is_queued_once_however_often_it_is_wanted(
    session: AsyncSession, brand: Brand, shop: Shop, customer_id: UUID
) -> None:
    wanted = wanted_survey(shop, customer_id)
    made = await queue_messages(session, brand.id, [wanted, wanted])
    assert len(made) == 1
    assert await queue_messages(session, brand.id, [wanted]) == []
    assert (
        len(
            await queue_messages(
                session, brand.id, [replace(wanted, step=1), replace(wanted, channel=Channel.sms)]
            )
        )
        == 2
    )
    message = (await all_messages(session))[0]
    assert message.status is MessageStatus.planned
    assert message.template_params == {
        "first_name": "Ana",
        "item_title": "Linen shirt",
        "order_number": "1001",
        "ordered_on": "2026-03-03",
    }


async def test_queueing_wakes_the_sender_only_with_the_commit(
    context: AppContext, brand: Brand, shop: Shop, customer_id: UUID
) -> None:
    wake_ups = text("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'messages'")
    async with context.sessions() as session:
        await queue_messages(session, brand.id, [wanted_survey(shop, customer_id)])
        await session.rollback()
        assert await session.scalar(wake_ups) == 0
    async with context.sessions.begin() as session:
        await queue_messages(session, brand.id, [wanted_survey(shop, customer_id)])
    async with context.sessions() as session:
        assert await session.scalar(wake_ups) == 1


async def test_an_urgent_message_calls_its_sender_to_the_brand_and_no_other(
    context: AppContext, brand: Brand, shop: Shop, customer_id: UUID
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(context.database_url)
    await listener.add_listener("tenfold_urgent", lambda *given: heard.put_nowait(given[-1]))
    async with context.sessions.begin() as session:
        await queue_messages(
            session,
            brand.id,
            [replace(wanted_survey(shop, customer_id), template=OFFER, template_params=OFFER.sample)],
        )
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer")) == 0
    assert await asyncio.wait_for(heard.get(), 20) == str(brand.id)
    await listener.close()


async def test_the_same_messages_queued_at_once_in_any_order_are_made_once(
    context: AppContext, brand: Brand, shop: Shop, customer_id: UUID
) -> None:
    wanted = [wanted_survey(shop, customer_id) for _ in range(200)]

    async def queue(order: list[NewMessage]) -> int:
        async with context.sessions.begin() as session:
            return len(await queue_messages(session, brand.id, order))

    made = await asyncio.gather(*(queue(wanted if turn % 2 else wanted[::-1]) for turn in range(6)))
    assert sum(made) == 200


async def test_a_batch_may_be_larger_than_the_protocol_has_parameters(
    session: AsyncSession, brand: Brand, shop: Shop, customer_id: UUID
) -> None:
    wanted = [wanted_survey(shop, customer_id) for _ in range(5_000)]
    assert len(await queue_messages(session, brand.id, wanted)) == 5_000


async def test_values_that_no_row_can_hold_are_made_printable(
    session: AsyncSession, brand: Brand, shop: Shop, customer_id: UUID
) -> None:
    hostile = replace(
        wanted_survey(shop, customer_id).template_params,
        first_name="A\x00na\r\nLee\ud800",
        item_title="\u202eevil",
    )
    await queue_messages(
        session, brand.id, [replace(wanted_survey(shop, customer_id), template_params=hostile)]
    )
    template_params = (await all_messages(session))[0].template_params
    assert template_params["first_name"] == "A na Lee"
    assert template_params["item_title"] == "evil"


async def test_cancelling_takes_back_what_is_planned_and_keeps_the_rest_from_being_sent_again(
    session: AsyncSession, brand: Brand, shop: Shop, customer_id: UUID
) -> None:
    wanted = [wanted_survey(shop, customer_id, due_at=NOW + timedelta(days=day)) for day in range(4)]
    ids = await queue_messages(session, brand.id, wanted)
    statuses = [MessageStatus.planned, MessageStatus.sending, MessageStatus.unknown, MessageStatus.accepted]
    for message, status in zip(await all_messages(session), statuses, strict=True):
        message.status = status
    await session.flush()
    subjects = [one.subject_id for one in wanted]
    assert await cancel_messages(session, brand.id, subjects, [REMINDER], reason="refunded") == 0
    assert await cancel_messages(session, brand.id, subjects, [SURVEY], reason="refunded") == 1
    session.expire_all()
    after = [(message.status, message.reason) for message in await all_messages(session)]
    assert after == [
        (MessageStatus.cancelled, "refunded"),
        (MessageStatus.sending, "refunded"),
        (MessageStatus.unknown, "refunded"),
        (MessageStatus.accepted, None),
    ]
    assert len(ids) == 4
