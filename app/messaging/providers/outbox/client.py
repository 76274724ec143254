"""The provider that sends nothing: it stores each message, to be read at `/outbox`."""

from email.utils import formataddr

from sqlalchemy.dialects.postgresql import insert

from app.base.context import AppContext
from app.brands.programme import Channel
from app.messaging.models import OutboxItem
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Recipient, Result
from app.messaging.render import fill


class Outbox:
    """Writes mails and texts into a table, each attempt's message once."""

    name = "outbox"
    most = 1_000

    def __init__(self, context: AppContext) -> None:
        self._context = context

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        """Store the batch, all of it or nothing; accepts every message."""
        rows = [_row(batch, recipient) for recipient in batch.recipients]
        async with self._context.sessions.begin() as session:
            await session.execute(insert(OutboxItem).on_conflict_do_nothing(), rows)
        return [Accepted(f"outbox-{recipient.attempt_id}") for recipient in batch.recipients]

    async def close(self) -> None:
        """There is nothing to close."""


def _row(batch: OutgoingBatch, recipient: Recipient) -> dict[str, object]:
    filled = fill(batch.content, recipient.values)
    is_email = batch.channel is Channel.email
    return {
        "brand_id": batch.brand_id,
        "id": recipient.attempt_id,
        "channel": batch.channel,
        "to": recipient.to,
        "sender": formataddr((batch.sender_name, batch.sender)) if is_email else batch.sender_name,
        "subject": filled.subject if is_email else None,
        "html": filled.html if is_email else None,
        "text": filled.text,
        "headers": dict(recipient.headers),
    }
