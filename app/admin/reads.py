"""What of people's data is read in bulk, written into the audit log."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor, ActorKind
from app.base.audit import AuditAction, record_action


async def record_reading(session: AsyncSession, caller: Actor, what: str, rows: int) -> None:
    """Write that a member of staff was shown people's data: `rows` of a list.

    Nothing for a key, whose scopes were decided when it was made, and for who sees masked fields.
    """
    if caller.kind is ActorKind.staff and caller.sees_people:
        await record_action(session, caller, AuditAction.people_listed, (what, None), {"rows": (None, rows)})


async def record_person_export(session: AsyncSession, caller: Actor, customer_id: UUID) -> None:
    """Write that somebody takes all that is stored about one person."""
    await record_action(session, caller, AuditAction.exported, ("cus", customer_id), {"people": (None, True)})


async def record_export(
    session: AsyncSession, caller: Actor, what: str, made: str, filters: Mapping[str, str]
) -> None:
    """Write that somebody takes a list, with or without people's data, as a file of a format."""
    changes: dict[str, tuple[object, object]] = {"people": (None, caller.sees_people)}
    if made != "csv":
        changes["format"] = (None, made)
    if filters:
        changes["filters"] = (None, dict(filters))
    await record_action(session, caller, AuditAction.exported, (what, None), changes)
