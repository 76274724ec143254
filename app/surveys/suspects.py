"""Decide about responses that a machine may have given: they count, or they do not."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import AppError
from app.base.touched import touch
from app.surveys.suspicion_rules import Suspicion
from app.surveys.work import lock_response, record_work
from app.surveys.work_rules import WorkEvent

Decision = Literal[Suspicion.real, Suspicion.left_out]


async def decide_suspect(
    session: AsyncSession, response_id: UUID, decision: Decision, *, actor: Actor, now: datetime
) -> bool:
    """Say that a person gave a suspected response, or leave it out of the figures.

    Either may be decided again. Returns whether anything is different. Raises NotFound, and
    AppError: `not_suspected` (409) for a response that was never suspected, `erased` (410).
    """
    response = await lock_response(session, actor.brand_id, response_id, of_somebody=True)
    before = response.suspicion
    if before is None:
        raise AppError("not_suspected", "Nothing speaks for a machine here; it counts.", status=409)
    if before is decision:
        return False
    response.suspicion = decision
    response.version += 1
    await session.flush()
    await touch(session, actor.brand_id, "responses", [response_id])
    await record_work(session, response_id, [(WorkEvent.decided, decision)], actor=actor, now=now)
    changes = {"suspicion": (str(before), decision.value)}
    await record_action(session, actor, AuditAction.response_changed, ("rsp", response_id), changes)
    return True
