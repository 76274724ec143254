"""Find the attempt of a provider's event that does not name it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_texts
from app.customers.contact import email_identity
from app.messaging.models import Attempt, Message
from app.messaging.provider_events import ParsedProviderEvent
from app.messaging.rules import FailureCause, ProviderEventKind


@dataclass(frozen=True, slots=True)
class UnattributedEvent:
    """One event that names the provider's own message and an address, but no attempt of ours.

    The other fields are those of `ParsedProviderEvent`.
    """

    provider: str
    provider_ref: str
    address: str
    external_id: str
    kind: ProviderEventKind
    detail: str | None
    at: datetime
    cause: FailureCause | None = None


async def attribute(
    session: AsyncSession, events: Sequence[ParsedProviderEvent | UnattributedEvent]
) -> list[ParsedProviderEvent]:
    """The events, all with their attempts.

    Where one names none, it is found by the provider's reference and the address together: one call
    of a provider may send many messages under one reference. Events of no attempt of ours are left
    out.
    """
    named = [event for event in events if isinstance(event, ParsedProviderEvent)]
    unnamed = [event for event in events if isinstance(event, UnattributedEvent)]
    if not unnamed:
        return named
    rows = await session.execute(
        select(Attempt.brand_id, Attempt.id, Attempt.provider, Attempt.provider_ref, Message.address)
        .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
        .where(in_texts(Attempt.provider_ref, sorted({event.provider_ref for event in unnamed})))
    )
    attempts = {
        (row.provider, row.provider_ref, _comparable(row.address)): (row.brand_id, row.id)
        for row in rows
        if row.address is not None
    }
    for event in unnamed:
        known = attempts.get((event.provider, event.provider_ref, _comparable(event.address)))
        if known is not None:
            named.append(_of_attempt(event, *known))
    return named


def _of_attempt(event: UnattributedEvent, brand_id: int, attempt_id: UUID) -> ParsedProviderEvent:
    return ParsedProviderEvent(
        brand_id=brand_id,
        attempt_id=attempt_id,
        provider=event.provider,
        external_id=event.external_id,
        kind=event.kind,
        detail=event.detail,
        at=event.at,
        cause=event.cause,
        provider_ref=event.provider_ref,
    )


def _comparable(address: str) -> str:
    """An e-mail address as we store it; a phone number is one already."""
    return email_identity(address) or address.strip()
