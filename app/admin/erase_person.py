"""Erase a person at a request of the API or the dashboard."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.context import AppContext
from app.base.retry import retry_conflicts
from app.ingest.erase_named import erase_named


async def erase_person(
    session: AsyncSession,
    context: AppContext,
    actor: Actor,
    names: Mapping[str, str | None],
    *,
    now: datetime,
) -> set[UUID] | None:
    """As `erase_named`; repeated after a deadlock with a batch that names the same people."""

    async def erase() -> set[UUID] | None:
        async with session.begin_nested():
            return await erase_named(session, context, actor=actor, now=now, **names)

    return await retry_conflicts(erase, name="erase")
