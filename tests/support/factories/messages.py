"""Messages that wait to be sent, and their outcome."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.base.context import AppContext
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.identify import identify
from app.customers.person import Person
from app.messaging.models import Attempt, Message
from app.messaging.queue import NewMessage, queue_messages
from app.surveys.templates import SURVEY, SurveyParams
from tests.support.constants import NOW

GRACE = timedelta(seconds=900)
SURVEY_PARAMS = SurveyParams("Ana", "Linen shirt", "1001", "2026-03-03")


async def queue(
    context: AppContext, brand: Brand, shop: Shop, count: int = 1, **changes: Any
) -> list[NewMessage]:
    """Queue a survey message to each of so many customers; returns what was queued."""
    people = [
        Person(email=f"person{number}@example.com", phone=f"+4915112345{number:03}", first_name="Ana")
        for number in range(count)
    ]
    async with context.sessions.begin() as session:
        ids = await identify(session, brand, shop, people, now=NOW)
        wanted = [
            replace(
                NewMessage(
                    SURVEY,
                    new_id(),
                    one,
                    shop.id,
                    Channel.email,
                    person.email or "",
                    "en",
                    SURVEY_PARAMS,
                    NOW,
                ),
                **changes,
            )
            for one, person in zip(ids, people, strict=True)
            if one is not None
        ]
        await queue_messages(session, brand.id, wanted)
    return wanted


async def messages(context: AppContext) -> Sequence[Message]:
    async with context.sessions() as session:
        return (await session.scalars(select(Message).order_by(Message.id))).all()


async def the_message(context: AppContext) -> Message:
    (message,) = await messages(context)
    return message


async def attempts(context: AppContext) -> Sequence[Attempt]:
    async with context.sessions() as session:
        return (await session.scalars(select(Attempt).order_by(Attempt.message_id, Attempt.number))).all()
