"""The carrier that sends nothing: it keeps each rendered message in the database, to be read at `/outbox`."""

from email.utils import formataddr
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from app.base.web import Ground
from app.brands.programme import Channel
from app.messaging.carrier import Accepted, Batch, Letter, Result
from app.messaging.models import OutboxItem
from app.messaging.render import fill


class Outbox:
    """Carries e-mail and texts into a table. A letter carried twice under one attempt is kept once."""

    name = "outbox"
    most = 1_000

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def send(self, batch: Batch) -> list[Result]:
        """Keep the batch, all of it or nothing; accepts every letter."""
        rows = [_row(batch, letter) for letter in batch.letters]
        async with self._ground.sessions.begin() as session:
            await session.execute(insert(OutboxItem).on_conflict_do_nothing(), rows)
        return [Accepted(f"outbox-{letter.attempt_id}") for letter in batch.letters]

    async def close(self) -> None:
        """Nothing is held."""


def _row(batch: Batch, letter: Letter) -> dict[str, Any]:
    filled = fill(batch.frame, letter.values)
    is_email = batch.channel is Channel.email
    return {
        "brand_id": batch.brand_id,
        "id": letter.attempt_id,
        "channel": batch.channel,
        "to": letter.to,
        "sender": formataddr((batch.sender_name, batch.sender)) if is_email else batch.sender_name,
        "subject": filled.subject if is_email else None,
        "html": filled.html if is_email else None,
        "text": filled.text,
        "headers": dict(letter.headers),
    }
