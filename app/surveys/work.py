"""Work on responses: state, assignee, tags and notes, each with who did it and when."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, differing, record_action
from app.base.errors import AppError, NotFound
from app.base.ids import new_id, public_id_or_none
from app.base.text import several_lines
from app.base.touched import touch
from app.customers.models import Customer
from app.surveys.models import Response, ResponseEvent, ResponseTag
from app.surveys.work_rules import (
    MOST_TAGS,
    NOTE_LIMIT,
    WorkEvent,
    WorkState,
    tag_names,
    work_state,
)


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who of the team answers; None for nobody."""

    staff_id: UUID | None


@dataclass(frozen=True, slots=True)
class WorkChange:
    """What is to be different; None leaves a part as it is. `tags` are all that it shall have."""

    state: WorkState | None = None
    assignee: Assignee | None = None
    tags: Sequence[str] | None = None


async def change_work(
    session: AsyncSession,
    response_id: UUID,
    change: WorkChange,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> bool:
    """Change a response of the actor's brand; returns whether anything was different.

    `version` is the one that the caller saw. Raises NotFound, and AppError: `changed_meanwhile`
    (409) where somebody changed the response since then, `too_many_tags`.
    """
    response = await lock_response(session, actor.brand_id, response_id)
    tags = await _tags(session, response)
    wanted = tags if change.tags is None else await _spelled(session, actor.brand_id, change.tags)
    if len(wanted) > MOST_TAGS:
        raise AppError("too_many_tags", f"An answer has at most {MOST_TAGS} tags; leave some out.")
    state = work_state(response.state, response.score, trial=response.trial, suspicion=response.suspicion)
    assignee_id = response.assignee_id if change.assignee is None else change.assignee.staff_id
    before = _values(state, response.assignee_id, tags.values())
    after = _values(change.state or state, assignee_id, wanted.values())
    if before == after:
        return False
    if version is not None and version != response.version:
        raise changed_meanwhile("change it")
    response.state, response.assignee_id = change.state or response.state, assignee_id
    # What the team decides itself, no reply that is under way decides again.
    response.replying = response.replying and change.state is None
    response.version += 1
    await session.flush()
    await _retag(session, response, tags, wanted)
    await record_work(session, response_id, _happened(before, after, tags, wanted), actor=actor, now=now)
    await record_action(
        session, actor, AuditAction.response_changed, ("rsp", response_id), differing(before, after)
    )
    return True


def changed_meanwhile(then: str) -> AppError:
    """The error where a response was changed since it was read; `then` is what to do about it."""
    return AppError(
        "changed_meanwhile",
        f"Somebody changed this answer since you read it; read it again, then {then}.",
        status=409,
    )


async def add_note(
    session: AsyncSession, response_id: UUID, text: str, *, actor: Actor, now: datetime
) -> None:
    """Add a note for the team. Raises NotFound, and AppError: `empty_note`, `erased` (410)."""
    note = several_lines(text, limit=NOTE_LIMIT)
    if not note:
        raise AppError("empty_note", "Write something first.")
    await lock_response(session, actor.brand_id, response_id, of_somebody=True)
    await record_work(session, response_id, [(WorkEvent.noted, note)], actor=actor, now=now)
    await record_action(session, actor, AuditAction.response_noted, ("rsp", response_id))


async def lock_response(
    session: AsyncSession, brand_id: int, response_id: UUID, *, of_somebody: bool = False
) -> Response:
    """The response of this id, locked.

    Raises NotFound, and with `of_somebody` AppError (`erased`, 410) for an erased person's.
    """
    found = await session.execute(
        select(Response, Customer.erased_at)
        .join(Customer, (Customer.brand_id == Response.brand_id) & (Customer.id == Response.customer_id))
        .where(Response.brand_id == brand_id, Response.id == response_id)
        .with_for_update(of=Response)
        .execution_options(populate_existing=True)
    )
    row = found.first()
    if row is None:
        raise NotFound
    response, erased_at = row
    if of_somebody and erased_at is not None:
        raise AppError(
            "erased", "This person was erased; nothing can be noted about them or sent to them.", status=410
        )
    return response


async def _tags(session: AsyncSession, response: Response) -> dict[str, str]:
    found = await session.execute(
        select(ResponseTag.key, ResponseTag.name)
        .where(ResponseTag.brand_id == response.brand_id, ResponseTag.response_id == response.id)
        .order_by(ResponseTag.key)
    )
    return {row.key: row.name for row in found}


async def _spelled(session: AsyncSession, brand_id: int, entered: Iterable[str]) -> dict[str, str]:
    """The tags by their keys, each as the brand spelled it first."""
    names = tag_names(entered)
    known = await session.execute(
        select(ResponseTag.key, func.min(ResponseTag.name).label("name"))
        .where(ResponseTag.brand_id == brand_id, ResponseTag.key.in_(names))
        .group_by(ResponseTag.key)
    )
    return names | {row.key: row.name for row in known}


class _Values(TypedDict):
    """What work has made of a response, as the audit log compares it."""

    state: WorkState | None
    assignee: str | None
    tags: list[str]


def _values(state: WorkState | None, assignee: UUID | None, tags: Iterable[str]) -> _Values:
    return {"state": state, "assignee": public_id_or_none("stf", assignee), "tags": sorted(tags)}


def _happened(
    before: _Values, after: _Values, tags: Mapping[str, str], wanted: Mapping[str, str]
) -> Iterator[tuple[WorkEvent, str | None]]:
    """What a change did: its kinds and texts. The tags are those of before and after, by key."""
    if after["state"] != before["state"]:
        yield WorkEvent.stated, after["state"]
    if after["assignee"] != before["assignee"]:
        yield WorkEvent.assigned, after["assignee"]
    yield from ((WorkEvent.tagged, name) for key, name in wanted.items() if key not in tags)
    yield from ((WorkEvent.untagged, name) for key, name in tags.items() if key not in wanted)


async def _retag(
    session: AsyncSession, response: Response, before: dict[str, str], after: dict[str, str]
) -> None:
    gone = sorted(before.keys() - after.keys())
    if gone:
        await session.execute(
            delete(ResponseTag).where(
                ResponseTag.brand_id == response.brand_id,
                ResponseTag.response_id == response.id,
                ResponseTag.key.in_(gone),
            )
        )
    added = [
        {"brand_id": response.brand_id, "response_id": response.id, "key": key, "name": name}
        for key, name in after.items()
        if key not in before
    ]
    if added:
        await session.execute(insert(ResponseTag), added)
    if gone or added:
        await touch(session, response.brand_id, "responses", [response.id])


async def record_work(
    session: AsyncSession,
    response_id: UUID,
    happened: Iterable[tuple[WorkEvent, str | None]],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Write what the actor did with a response: kinds and texts."""
    rows = [
        {
            "brand_id": actor.brand_id,
            "id": new_id(),
            "response_id": response_id,
            "kind": kind,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "text": text,
            "at": now,
        }
        for kind, text in happened
    ]
    if rows:
        await session.execute(insert(ResponseEvent), rows)
