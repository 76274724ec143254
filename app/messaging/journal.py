"""What the journal keeps of messages: what was about to be sent, and which sends did not succeed.

A record of kind `sent` is written once its claim is committed and before anything is sent. What was
refused, or has an unknown outcome, follows as `unsent`; every other attempt of a `sent` record was
accepted, or its process ended. The rows hold ids and the message's key, nothing personal.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.base.errors import Fault, Outcome, OutsideError
from app.base.fence import Reservation
from app.brands.programme import Channel
from app.messaging.claim import Claim
from app.messaging.due_messages import ClaimedMessage
from app.messaging.providers.protocol import Result
from app.messaging.rules import AttemptStatus

SENT = "sent"
UNSENT = "unsent"
UNWRITABLE = OutsideError(
    Outcome.refused, "the journal cannot be written, so nothing is sent", fault=Fault.busy
)


@dataclass(frozen=True, slots=True)
class JournaledSend:
    """One attempt of a `sent` record, in the order in which its fields are written."""

    attempt_id: UUID
    number: int
    provider: str
    at: datetime
    message_id: UUID
    customer_id: UUID | None
    shop_id: UUID
    template: str
    subject_id: UUID
    step: int
    channel: str
    priority: str
    locale: str

    @classmethod
    def read(cls, row: Sequence[object]) -> "JournaledSend":
        """From a row as it was written."""
        texts = ["" if value is None else str(value) for value in row]
        return cls(
            attempt_id=UUID(texts[0]),
            number=int(texts[1]),
            provider=texts[2],
            at=datetime.fromisoformat(texts[3]),
            message_id=UUID(texts[4]),
            customer_id=UUID(texts[5]) if texts[5] else None,
            shop_id=UUID(texts[6]),
            template=texts[7],
            subject_id=UUID(texts[8]),
            step=int(texts[9]),
            channel=texts[10],
            priority=texts[11],
            locale=texts[12],
        )


async def journal_claim(claimed: Claim, providers: Mapping[Channel, str], *, now: datetime) -> bool:
    """Write what is about to be sent; False where the journal cannot be written."""
    if claimed.reserved is None:
        return True
    rows: list[object] = [
        [
            message.attempt_id,
            message.number,
            providers[message.version.channel],
            now,
            message.message_id,
            message.customer_id,
            message.shop_id,
            message.version.template,
            message.subject_id,
            message.step,
            message.version.channel,
            message.priority,
            message.locale,
        ]
        for message in claimed.messages
    ]
    try:
        await claimed.reserved.write(SENT, claimed.brand.id, rows)
    except OSError:
        return False
    return True


async def journal_results(
    reserved: Reservation | None, brand_id: int, messages: Sequence[ClaimedMessage], results: Sequence[Result]
) -> None:
    """Write which of these attempts were not accepted; nothing where all were."""
    rows: list[object] = [
        [
            message.attempt_id,
            AttemptStatus.refused if result.outcome is Outcome.refused else AttemptStatus.unknown,
        ]
        for message, result in zip(messages, results, strict=True)
        if isinstance(result, OutsideError)
    ]
    if rows and reserved is not None:
        # Without the record a restored database takes them for sent: nothing goes out twice.
        with suppress(OSError):
            await reserved.write(UNSENT, brand_id, rows)
