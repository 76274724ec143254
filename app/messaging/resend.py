"""A person decides about messages: send one again, or dismiss it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, false, func, not_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_actions
from app.base.batch import in_ids
from app.base.errors import AppError, NotFound
from app.base.touched import touch
from app.brands.programme import Channel
from app.messaging.models import Attempt, Message
from app.messaging.queue import wake_senders
from app.messaging.rules import (
    DISMISSABLE_STATUSES,
    RESENDABLE_STATUSES,
    AttemptStatus,
    MessageStatus,
    Priority,
    why_not_resendable,
)

MOST_AT_ONCE = 1_000
"""Messages that one selection changes at most."""
_ERASED = "The person was erased, so there is nothing left to send."

_Found = Row[UUID, MessageStatus, str | None, str | None, Priority]


@dataclass(frozen=True, slots=True)
class MessageSelection:
    """Messages of one status; None selects every template and channel."""

    status: MessageStatus
    template: str | None = None
    channel: Channel | None = None


Over = Mapping[str, ColumnElement[bool]]
"""Conditions on a message, by the reason why there is nothing left to send it for."""


@dataclass(frozen=True, slots=True)
class ResentSelection:
    """How many messages were planned again, skipped by reason, and are left for another call."""

    messages: int
    skipped: Mapping[str, int]
    remaining: int


async def resend_message(
    session: AsyncSession,
    brand_id: int,
    message_id: UUID,
    *,
    over: Over | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    """Plan one more attempt of a message, with an id of its own, as soon as it may be sent.

    Consent, suppression and quiet hours are checked again before it leaves. Where a provider event
    proves meanwhile that an earlier attempt arrived, no copy is sent. Of two calls at once one
    wins. Raises `NotFound`, and `AppError` `not_resendable` (409) with the reason for a message
    that is waiting, being sent, cancelled, suppressed, dismissed or complained about, or that a
    condition of `over` applies to.
    """
    found = await _lock_one(session, brand_id, message_id)
    if found.status not in RESENDABLE_STATUSES:
        raise AppError("not_resendable", why_not_resendable(found.status, found.reason), status=409)
    if found.address is None:
        raise AppError("not_resendable", _ERASED, status=409)
    for reason, is_over in (over or {}).items():
        if await _count(session, (Message.brand_id == brand_id) & (Message.id == message_id) & is_over):
            detail = f"There is nothing left to send it for: {reason.replace('_', ' ')}."
            raise AppError("not_resendable", detail, status=409)
    await _resend(session, [found], actor, now)


async def dismiss_message(session: AsyncSession, brand_id: int, message_id: UUID, *, actor: Actor) -> None:
    """Decide that a failed message, or one in review, is not sent again.

    Raises `NotFound`, and `AppError` `not_dismissable` (409) for a message in another state.
    """
    found = await _lock_one(session, brand_id, message_id)
    if found.status not in DISMISSABLE_STATUSES:
        raise AppError(
            "not_dismissable",
            f"This message is {found.status}; only one that failed or is in review can be dismissed.",
            status=409,
        )
    await _dismiss(session, [found], actor)


async def resend_selected(
    session: AsyncSession,
    brand_id: int,
    selection: MessageSelection,
    *,
    over: Over,
    actor: Actor,
    now: datetime,
) -> ResentSelection:
    """As `resend_message`, for up to `MOST_AT_ONCE` selected messages, the oldest first.

    Messages of erased people are left out. What one of `over` applies to is skipped and stays as it
    is. Raises `AppError` `not_resendable` for a status that cannot be selected.
    """
    selected = _chosen(brand_id, selection, "not_resendable") & Message.address.is_not(None)
    chosen = selected & not_(or_(false(), *over.values()))
    found = await _lock_selected(session, chosen)
    await _resend(session, found, actor, now)
    skipped = {reason: await _count(session, selected & is_over) for reason, is_over in over.items()}
    return ResentSelection(
        len(found),
        {reason: count for reason, count in skipped.items() if count},
        await _count(session, chosen),
    )


async def dismiss_selected(
    session: AsyncSession, brand_id: int, selection: MessageSelection, *, actor: Actor
) -> tuple[int, int]:
    """As `dismiss_message`, for up to `MOST_AT_ONCE` selected messages, the oldest first.

    Returns how many were dismissed and how many are left. Raises `AppError` `not_dismissable` for a
    status that cannot be selected.
    """
    chosen = _chosen(brand_id, selection, "not_dismissable")
    found = await _lock_selected(session, chosen)
    await _dismiss(session, found, actor)
    return len(found), await _count(session, chosen)


def _chosen(brand_id: int, selection: MessageSelection, code: str) -> ColumnElement[bool]:
    # Both lists begin with what a person must decide; accepted messages are never sent again in
    # bulk.
    if selection.status not in DISMISSABLE_STATUSES:
        raise AppError(code, "Only messages that failed or are in review can be selected together.")
    return (
        (Message.brand_id == brand_id)
        & (Message.status == selection.status)
        & (true() if selection.template is None else Message.template == selection.template)
        & (true() if selection.channel is None else Message.channel == selection.channel)
    )


_COLUMNS = (Message.id, Message.status, Message.reason, Message.address, Message.priority)


async def _lock_one(session: AsyncSession, brand_id: int, message_id: UUID) -> _Found:
    query = select(*_COLUMNS).where(Message.brand_id == brand_id, Message.id == message_id)
    found = (await session.execute(query.with_for_update())).one_or_none()
    if found is None:
        raise NotFound
    return found


async def _lock_selected(session: AsyncSession, chosen: ColumnElement[bool]) -> Sequence[_Found]:
    query = select(*_COLUMNS).where(chosen).order_by(Message.id).limit(MOST_AT_ONCE)
    return (await session.execute(query.with_for_update(skip_locked=True))).all()


async def _count(session: AsyncSession, chosen: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(Message).where(chosen)) or 0


async def _resend(session: AsyncSession, found: Sequence[_Found], actor: Actor, now: datetime) -> None:
    # A copy may arrive where an earlier attempt may have arrived.
    may_have_arrived = (
        select(Attempt.id)
        .where(
            Attempt.brand_id == Message.brand_id,
            Attempt.message_id == Message.id,
            Attempt.status != AttemptStatus.refused,
        )
        .exists()
    )
    await session.execute(
        update(Message)
        .where(Message.brand_id == actor.brand_id, in_ids(Message.id, [row.id for row in found]))
        .values(
            status=MessageStatus.planned,
            reason=None,
            due_at=now,
            at_once=True,
            unknowns=0,
            refusals=0,
            possible_duplicate=or_(Message.possible_duplicate, may_have_arrived),
        )
        .execution_options(synchronize_session=False)
    )
    await touch(session, actor.brand_id, "messages", [row.id for row in found])
    await _record(session, AuditAction.message_resent, found, MessageStatus.planned, actor)
    priorities: Collection[Priority] = {row.priority for row in found}
    await wake_senders(session, actor.brand_id, priorities)


async def _dismiss(session: AsyncSession, found: Sequence[_Found], actor: Actor) -> None:
    await session.execute(
        update(Message)
        .where(Message.brand_id == actor.brand_id, in_ids(Message.id, [row.id for row in found]))
        .values(status=MessageStatus.dismissed)
        .execution_options(synchronize_session=False)
    )
    await touch(session, actor.brand_id, "messages", [row.id for row in found])
    await _record(session, AuditAction.message_dismissed, found, MessageStatus.dismissed, actor)


async def _record(
    session: AsyncSession, action: AuditAction, found: Sequence[_Found], status: MessageStatus, actor: Actor
) -> None:
    changes = {row.id: {"status": (str(row.status), status.value)} for row in found}
    await record_actions(session, actor, action, "msg", changes)
