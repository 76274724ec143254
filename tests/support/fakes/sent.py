"""Messages that were sent, straight into the database, for tests of provider events."""

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
    customer = Customer(brand_id=shop.brand_id, id=new_id(), email=None, phone=None)
    setattr(customer, "email" if channel is Channel.email else "phone", address)
    session.add(customer)
    await session.flush()
    message = Message(
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
    session.add(message)
    await session.flush()
    tries = [
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
    session.add_all(tries)
    await session.flush()
    return message.id, [attempt.id for attempt in tries]
