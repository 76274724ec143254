"""Provider events: stored once, and applied to attempts, messages and suppressions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy import Integer, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of, bound_recordset, in_bound_ids
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.base.tokens import Tokens
from app.base.touched import touch
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.rules import SuppressionReason
from app.messaging import provider_event_rules
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.rules import AttemptStatus, FailureCause, MessageStatus, ProviderEventKind

_AT_ONCE = 1_000
"""Events recorded in one set of statements; a provider posts hundreds at a time."""


_KEPT = [
    ProviderEvent.id,
    ProviderEvent.provider,
    ProviderEvent.external_id,
    ProviderEvent.attempt_id,
    ProviderEvent.kind,
    ProviderEvent.detail,
    ProviderEvent.at,
]


@dataclass(frozen=True, slots=True)
class ParsedProviderEvent:
    """One event of one attempt."""

    brand_id: int
    attempt_id: UUID
    provider: str
    external_id: str
    """The provider's own id of the event: it is stored once, however often it is reported."""
    kind: ProviderEventKind
    detail: str | None
    """The provider's own words or code, without addresses."""
    at: datetime
    cause: FailureCause | None = None
    """Set where the address itself is the cause of a failure."""
    provider_ref: str | None = None
    """The provider's id of the message, where the event names it."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Of an event's attempt: its message, and where that was sent."""

    message_id: UUID
    channel: Channel
    address: str | None


async def record_provider_events(
    session: AsyncSession, tokens: Tokens, events: Sequence[ParsedProviderEvent], *, now: datetime
) -> None:
    """Store new events, raise attempts and messages to what they prove, and suppress addresses.

    Order, repetition and lateness cannot matter. Events of unknown attempts are left out. Brands
    may be mixed. Rows are locked in the order of their ids, messages before attempts.
    """
    by_brand: dict[int, dict[tuple[str, str], ParsedProviderEvent]] = defaultdict(dict)
    for event in events:
        by_brand[event.brand_id].setdefault((event.provider, event.external_id), event)
    for brand_id in sorted(by_brand):
        ordered = sorted(by_brand[brand_id].values(), key=lambda event: (event.provider, event.external_id))
        for start in range(0, len(ordered), _AT_ONCE):
            await _record_of_brand(session, tokens, brand_id, ordered[start : start + _AT_ONCE], now)


async def _record_of_brand(
    session: AsyncSession, tokens: Tokens, brand_id: int, events: Sequence[ParsedProviderEvent], now: datetime
) -> None:
    known = await _known_attempts(session, brand_id, {event.attempt_id for event in events})
    fresh = await _keep(session, brand_id, [event for event in events if event.attempt_id in known])
    if not fresh:
        return
    await _suppress(session, tokens, brand_id, fresh, known, now)
    await _raise_messages(session, brand_id, fresh, known)
    await _prove_attempts(session, brand_id, fresh)


async def _known_attempts(session: AsyncSession, brand_id: int, attempt_ids: set[UUID]) -> dict[UUID, _Known]:
    return dict(await _KNOWN.all(session, of_brand=brand_id, ids=list(attempt_ids)))


_KNOWN = Prepared(
    select(Attempt.id, Attempt.message_id, Message.channel, Message.address)
    .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
    .where(Attempt.brand_id == bindparam("of_brand"), in_bound_ids(Attempt.id, "ids")),
    lambda attempt_id, *known: (attempt_id, _Known(*known)),
)


async def _keep(
    session: AsyncSession, brand_id: int, events: Sequence[ParsedProviderEvent]
) -> list[ParsedProviderEvent]:
    """Write the events that were not yet known; returns those."""
    if not events:
        return []
    rows = [
        {
            "id": new_id(),
            "provider": event.provider,
            "external_id": event.external_id,
            "attempt_id": event.attempt_id,
            "kind": event.kind,
            "detail": event.detail,
            "at": event.at,
        }
        for event in events
    ]
    written = set(await _KEEP.all(session, of_brand=brand_id, **arrays_of(rows, _KEPT)))
    return [event for event in events if (event.provider, event.external_id) in written]


_kept = bound_recordset(_KEPT)
_KEEP = Prepared(
    insert(ProviderEvent)
    .from_select(
        ["brand_id", *_kept.c.keys()],
        select(bindparam("of_brand", type_=Integer), *_kept.c).order_by(
            _kept.c.provider, _kept.c.external_id
        ),
        include_defaults=False,
    )
    .on_conflict_do_nothing()
    .returning(ProviderEvent.provider, ProviderEvent.external_id),
    lambda *key: key,
)


async def _suppress(
    session: AsyncSession,
    tokens: Tokens,
    brand_id: int,
    fresh: Sequence[ParsedProviderEvent],
    known: Mapping[UUID, _Known],
    now: datetime,
) -> None:
    addresses: dict[tuple[Channel, SuppressionReason], set[str]] = defaultdict(set)
    for event in fresh:
        reason = provider_event_rules.suppression_for(event.kind, event.cause)
        attempt = known[event.attempt_id]
        if reason is not None and attempt.address is not None:
            addresses[attempt.channel, reason].add(attempt.address)
    for channel, reason in sorted(addresses):
        await suppress(
            session, tokens, brand_id, channel, sorted(addresses[channel, reason]), reason, now=now
        )


async def _raise_messages(
    session: AsyncSession, brand_id: int, fresh: Sequence[ParsedProviderEvent], known: Mapping[UUID, _Known]
) -> None:
    of_message: dict[UUID, list[ParsedProviderEvent]] = defaultdict(list)
    for event in fresh:
        of_message[known[event.attempt_id].message_id].append(event)
    rows = await _LOCK.all(session, of_brand=brand_id, ids=list(of_message))
    changes = [_change(*row, of_message[row[0]]) for row in rows]
    await _RAISE.run(session, of_brand=brand_id, **arrays_of(changes, _RAISED))
    await touch(session, brand_id, "messages", list(of_message))


def _as_it_is(
    message_id: UUID, status: MessageStatus, reason: str | None
) -> tuple[UUID, MessageStatus, str | None]:
    return message_id, status, reason


_LOCK = Prepared(
    select(Message.id, Message.status, Message.reason)
    .where(Message.brand_id == bindparam("of_brand"), in_bound_ids(Message.id, "ids"))
    .order_by(Message.id)
    .with_for_update(key_share=True),
    _as_it_is,
)
_RAISED = (Message.id, Message.status, Message.reason, Message.sent_at, Message.delivered_at)
_raised = bound_recordset(_RAISED)
_RAISE = Prepared(
    update(Message)
    .where(Message.brand_id == bindparam("of_brand"), Message.id == _raised.c.id)
    .values(
        status=_raised.c.status,
        reason=_raised.c.reason,
        sent_at=func.coalesce(Message.sent_at, _raised.c.sent_at),
        delivered_at=func.least(Message.delivered_at, _raised.c.delivered_at),
    ),
    tuple,
)


class _MessageChange(TypedDict):
    id: UUID
    status: MessageStatus
    reason: str | None
    sent_at: datetime
    delivered_at: datetime | None


class _Proof(TypedDict):
    id: UUID
    finished_at: datetime
    provider_ref: str | None


def _change(
    message_id: UUID, status: MessageStatus, reason: str | None, events: Sequence[ParsedProviderEvent]
) -> _MessageChange:
    for event in events:
        raised = provider_event_rules.status_after(status, event.kind)
        if raised is not status:
            status, reason = raised, provider_event_rules.reason_of(event.kind, event.cause)
    delivered = [event.at for event in events if event.kind is ProviderEventKind.delivered]
    return {
        "id": message_id,
        "status": status,
        "reason": reason,
        "sent_at": min(event.at for event in events),
        "delivered_at": min(delivered, default=None),
    }


async def _prove_attempts(session: AsyncSession, brand_id: int, fresh: Sequence[ParsedProviderEvent]) -> None:
    """Mark the events' attempts as accepted: providers report events of accepted messages only."""
    first: dict[UUID, _Proof] = {}
    for event in fresh:
        proof = first.setdefault(
            event.attempt_id, {"id": event.attempt_id, "finished_at": event.at, "provider_ref": None}
        )
        proof["finished_at"] = min(proof["finished_at"], event.at)
        proof["provider_ref"] = proof["provider_ref"] or event.provider_ref
    await _PROVE.run(session, of_brand=brand_id, **arrays_of(list(first.values()), _PROVED))


_PROVED = (Attempt.id, Attempt.finished_at, Attempt.provider_ref)
_proved = bound_recordset(_PROVED)
_PROVE = Prepared(
    update(Attempt)
    .where(Attempt.brand_id == bindparam("of_brand"), Attempt.id == _proved.c.id)
    .values(
        status=AttemptStatus.accepted,
        provider_ref=func.coalesce(Attempt.provider_ref, _proved.c.provider_ref),
        finished_at=func.coalesce(Attempt.finished_at, _proved.c.finished_at),
    ),
    tuple,
)
