"""A provider that does what a test scripts."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.base.context import AppContext
from app.base.errors import Outcome, OutsideError
from app.base.turns import Sweep
from app.brands.programme import Channel
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Result
from app.messaging.send_sweeps import sweep

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
