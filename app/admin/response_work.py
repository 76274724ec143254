"""Work on answers for staff and keys: what they may see, they may work on."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.models import Staff
from app.admin.rows import RESPONSES
from app.admin.rules import may_see_shop
from app.base.actor import Actor
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id
from app.brands.models import Shop
from app.insight.periods import Period
from app.surveys.listed import load_events
from app.surveys.models import Response
from app.surveys.rules import Band
from app.surveys.schemas import ResponseDetail, ResponseRow
from app.surveys.work import Assignee, WorkChange, add_note, change_work
from app.surveys.work_rules import WorkState

_SCORES = {Band.promoter: (9, 10), Band.passive: (7, 8), Band.detractor: (0, 6)}


def in_band(band: Band | None) -> ColumnElement[bool]:
    """The condition that a response's score lies in this band; true for None."""
    return true() if band is None else Response.score.between(*_SCORES[band])


def answered_in(period: Period) -> ColumnElement[bool]:
    """The condition that a response was given in the period."""
    since = true() if period.start is None else Response.answered_at >= period.start
    return since & (true() if period.end is None else Response.answered_at < period.end)


def has_comment(wanted: bool | None) -> ColumnElement[bool]:
    """The condition that a response has a comment, or none; true for None."""
    if wanted is None:
        return true()
    return Response.comment.is_not(None) if wanted else Response.comment.is_(None)


async def show_answer(session: AsyncSession, caller: Actor, response_id: UUID) -> ResponseDetail:
    """One answer with what the team did. Raises NotFound for what the caller may not see."""
    row = await _find(session, caller, response_id)
    events = await load_events(session, caller.brand_id, [response_id])
    return ResponseDetail.with_events(row, events[response_id], pii=caller.sees_people)


async def change_answer(
    session: AsyncSession,
    caller: Actor,
    response_id: UUID,
    *,
    state: WorkState | None = None,
    assignee: str | None = None,
    tags: Sequence[str] | None = None,
    version: int | None = None,
    now: datetime,
) -> bool:
    """Change what the team made of an answer; returns whether anything was different.

    `assignee` is `stf_…`, or empty for nobody. Raises as `change_work`, and AppError
    (`unknown_assignee`) for somebody who is not in the team or may not see the answer's shop.
    """
    row = await _find(session, caller, response_id)
    chosen = None if assignee is None else await _assignee(session, caller, assignee, row.shop)
    change = WorkChange(state, chosen, tags)
    return await change_work(session, response_id, change, version=version, actor=caller, now=now)


async def note_answer(
    session: AsyncSession, caller: Actor, response_id: UUID, text: str, *, now: datetime
) -> None:
    """Add a note for the team to an answer that the caller may see. Raises as `add_note`."""
    await _find(session, caller, response_id)
    await add_note(session, response_id, text, actor=caller, now=now)


async def _find(session: AsyncSession, caller: Actor, response_id: UUID) -> ResponseRow:
    row = (await session.execute(RESPONSES.visible(caller).where(RESPONSES.key == response_id))).first()
    if row is None:
        raise NotFound
    return RESPONSES.shape(row, pii=caller.sees_people)


async def _assignee(session: AsyncSession, caller: Actor, shown_id: str, shop: str) -> Assignee:
    if not shown_id:
        return Assignee(None)
    unknown = AppError("unknown_assignee", "Nobody of the team who sees this shop has that id.")
    try:
        staff_id = parse_public_id("stf", shown_id)
    except NotFound:
        raise unknown from None
    found = await session.execute(
        select(Staff.shop_ids, Shop.id)
        .join(Shop, Shop.brand_id == Staff.brand_id)
        .where(Staff.brand_id == caller.brand_id, Staff.id == staff_id, Shop.slug == shop)
    )
    row = found.first()
    if row is None or not may_see_shop(row.shop_ids, row.id):
        raise unknown
    return Assignee(staff_id)
