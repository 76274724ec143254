"""A provider that does what a test scripts, and messages that wait to be sent."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy import select

from app.base.context import AppContext
from app.base.due import Sweep
from app.base.errors import Outcome, OutsideError
from app.base.ids import new_id
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.models import Customer
from app.messaging.deliver import sweep
from app.messaging.models import Attempt, Message
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Result
from app.messaging.queue import NewMessage, queue_messages
from app.surveys.templates import SURVEY, SurveyParams
from tests.support.constants import NOW

GRACE = timedelta(seconds=900)
SURVEY_PARAMS = SurveyParams("Ana", "Linen shirt", "1001", "2026-03-03")

Answer = Callable[[OutgoingBatch], Sequence[Result]]


@dataclass
class Scripted:
    """The provider whose calls have scripted results; it keeps what it was sent."""

    answers: list[Answer] = field(default_factory=list)
    most: int = 1_000
    name: str = "scripted"
    calls: list[OutgoingBatch] = field(default_factory=list)

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        self.calls.append(batch)
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else accept
        return list(answer(batch))

    async def close(self) -> None:
        pass

    @property
    def reached(self) -> Counter[str]:
        return Counter(letter.to for batch in self.calls for letter in batch.recipients)


def accept(batch: OutgoingBatch) -> Sequence[Result]:
    return [Accepted("ref")] * len(batch.recipients)


def refuse(*, permanent: bool = False, retry_after: float | None = None, reason: str = "no") -> Answer:
    return lambda batch: (
        [OutsideError(Outcome.refused, reason, permanent=permanent, retry_after=retry_after)]
        * len(batch.recipients)
    )


def lose(batch: OutgoingBatch) -> Sequence[Result]:
    return [OutsideError(Outcome.unknown, "timeout")] * len(batch.recipients)


def both(context: AppContext, provider: Scripted) -> Sweep:
    return sweep(context, {Channel.email: provider, Channel.sms: provider})


async def add_people(context: AppContext, brand: Brand, count: int) -> list[Customer]:
    async with context.sessions.begin() as session:
        people = [
            Customer(
                brand_id=brand.id,
                email=f"person{number}@example.com",
                phone=f"+4915112345{number:03}",
                first_name="Ana",
            )
            for number in range(count)
        ]
        session.add_all(people)
        return people


async def queue(
    context: AppContext, brand: Brand, shop: Shop, count: int = 1, **changes: object
) -> list[NewMessage]:
    people = await add_people(context, brand, count)
    wanted = [
        replace(
            NewMessage(
                SURVEY,
                new_id(),
                one.id,
                shop.id,
                Channel.email,
                one.email or "",
                "en",
                SURVEY_PARAMS,
                NOW,
            ),
            **changes,
        )  # type: ignore[arg-type]
        for one in people
    ]
    async with context.sessions.begin() as session:
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
