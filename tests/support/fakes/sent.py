"""Messages that were sent, straight into the database, for tests of provider events."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.ids import new_id
from app.brands.models import Shop
from app.brands.programme import Channel
from app.customers.models import Customer
from app.messaging.models import Attempt, Message
from app.messaging.rules import AttemptStatus, MessageStatus, Priority
from app.surveys.templates import SURVEY


async def put_message(
    session: AsyncSession,
    shop: Shop,
    address: str,
    *,
    now: datetime,
    channel: Channel = Channel.email,
    status: MessageStatus = MessageStatus.sending,
    attempts: int = 1,
) -> tuple[UUID, list[UUID]]:
    """A customer, a message to them, and attempts in the state `sending`; returns the message's id
    and the attempts' ids."""
    (put,) = await put_messages(
        session, shop, [address], now=now, channel=channel, status=status, attempts=attempts
    )
    return put


async def put_messages(
    session: AsyncSession,
    shop: Shop,
    addresses: Sequence[str],
    *,
    now: datetime,
    channel: Channel = Channel.email,
    status: MessageStatus = MessageStatus.sending,
    attempts: int = 1,
) -> list[tuple[UUID, list[UUID]]]:
    """As `put_message`, for many addresses."""
    field = "email" if channel is Channel.email else "phone"
    customers = [Customer(brand_id=shop.brand_id, id=new_id(), **{field: each}) for each in addresses]
    messages = [
        Message(
            brand_id=shop.brand_id,
            id=new_id(),
            customer_id=customer.id,
            shop_id=shop.id,
            template=SURVEY.name,
            subject_id=new_id(),
            channel=channel,
            priority=Priority.normal,
            status=status,
            address=address,
            locale="en",
            template_params={},
            due_at=now,
            claimed_at=now,
            attempts=attempts,
        )
        for customer, address in zip(customers, addresses, strict=True)
    ]
    tries = [
        [
            Attempt(
                brand_id=shop.brand_id,
                id=new_id(),
                message_id=message.id,
                number=number + 1,
                provider="sendgrid" if channel is Channel.email else "twilio",
                status=AttemptStatus.sending,
                started_at=now,
            )
            for number in range(attempts)
        ]
        for message in messages
    ]
    for rows in (customers, messages, [attempt for each in tries for attempt in each]):
        session.add_all(rows)
        await session.flush()
    return [
        (message.id, [attempt.id for attempt in each]) for message, each in zip(messages, tries, strict=True)
    ]
