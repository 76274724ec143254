"""Work on answers for staff and keys: what they may see, they may work on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app.admin.models import Staff
from app.admin.rows import RESPONSES, TESTIMONIALS
from app.admin.rules import may_see_shop
from app.base.actor import Actor
from app.base.context import AppContext
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id
from app.base.masking import mask_email, mask_phone
from app.base.records import read_first
from app.base.schemas import ApiModel
from app.brands.models import Shop
from app.brands.programme import Channel
from app.customers.rules import ContactOptions
from app.insight.periods import Period
from app.messaging.providers.protocol import Content
from app.surveys.listed import load_work
from app.surveys.models import Response
from app.surveys.reply import NewReply, load_respondent, preview_reply, send_reply
from app.surveys.rules import Band
from app.surveys.schemas import ResponseDetail, ResponseRow
from app.surveys.suspects import Decision, decide_suspect
from app.surveys.testimonials import TestimonialRow, withdraw_testimonial
from app.surveys.work import Assignee, WorkChange, add_note, change_work
from app.surveys.work_rules import ReplyRefusal, WorkState, reply_refusal

_SCORES = {Band.promoter: (9, 10), Band.passive: (7, 8), Band.detractor: (0, 6)}


def in_band(band: Band | None) -> ColumnElement[bool]:
    """The condition that a response's score lies in this band; true for None."""
    return true() if band is None else Response.score.between(*_SCORES[band])


def answered_in(period: Period) -> ColumnElement[bool]:
    """The condition that a response was given in the period."""
    since = true() if period.start is None else Response.answered_at >= period.start
    return since & (true() if period.end is None else Response.answered_at < period.end)


def order_in(period: Period) -> InstrumentedAttribute[Any] | None:
    """What a list of responses begins with the most of; None for the newest first.

    Those of a period are in the order in which they were answered: so they are found by its index,
    and what came after the period is not read.
    """
    return None if period == Period() else Response.answered_at


def has_comment(wanted: bool | None) -> ColumnElement[bool]:
    """The condition that a response has a comment, or none; true for None."""
    if wanted is None:
        return true()
    return Response.comment.is_not(None) if wanted else Response.comment.is_(None)


class ReplyWay(ApiModel):
    """Whether a reply may be sent by a channel, else why not."""

    channel: Channel
    allowed: bool
    reason: ReplyRefusal | None
    address: str | None = Field(description="Where it would go; masked without the scope `pii`.")

    @classmethod
    def of(cls, channel: Channel, options: ContactOptions, *, pii: bool) -> Self:
        """How they may be replied to by this channel."""
        reason, address = reply_refusal(options, channel), options.reply_address(channel)
        mask = mask_email if channel is Channel.email else mask_phone
        return cls(
            channel=channel,
            allowed=reason is None,
            reason=reason,
            address=None if reason is not None else address if pii else mask(address),
        )


class FullResponse(ResponseDetail):
    """A response with what the team did with it, and how its customer may be replied to."""

    reply_by: list[ReplyWay]
    testimonial: TestimonialRow | None = Field(
        description="What may be shown to others, as `GET /testimonials`."
    )


async def load_response(
    session: AsyncSession, context: AppContext, caller: Actor, response_id: UUID
) -> FullResponse:
    """One answer with what the team did. Raises NotFound for what the caller may not see."""
    row = await _find(session, caller, response_id)
    worked = await load_work(session, caller.brand_id, [response_id])
    respondent = await load_respondent(session, context, caller.brand_id, response_id)
    ways = [ReplyWay.of(channel, respondent.options, pii=caller.sees_people) for channel in Channel]
    detail = ResponseDetail.of(row, worked[response_id], pii=caller.sees_people)
    shown = await read_first(session, TESTIMONIALS.visible(caller).where(Response.id == response_id))
    testimonial = None if shown is None else TESTIMONIALS.shape(shown, pii=caller.sees_people)
    return FullResponse(**detail.__dict__, reply_by=ways, testimonial=testimonial)


async def withdraw(session: AsyncSession, caller: Actor, response_id: UUID, *, now: datetime) -> None:
    """Withdraw a testimonial that the caller may see. Raises as `withdraw_testimonial`."""
    await _find(session, caller, response_id)
    await withdraw_testimonial(session, response_id, actor=caller, now=now)


async def reply_to(
    session: AsyncSession,
    context: AppContext,
    caller: Actor,
    response_id: UUID,
    reply: NewReply,
    *,
    version: int | None,
    now: datetime,
) -> None:
    """Send a reply to an answer that the caller may see. Raises as `send_reply`, and as below."""
    await _check_may_reply(session, caller, response_id)
    await send_reply(session, context, response_id, reply, version=version, actor=caller, now=now)


async def preview_reply_to(
    session: AsyncSession, context: AppContext, caller: Actor, response_id: UUID, reply: NewReply
) -> Content:
    """The reply as it would be sent now. Raises as `preview_reply`, and as below."""
    await _check_may_reply(session, caller, response_id)
    return await preview_reply(session, context, caller.brand_id, response_id, reply)


async def _check_may_reply(session: AsyncSession, caller: Actor, response_id: UUID) -> None:
    """Raise NotFound for what the caller may not see, `missing_scope` without the scope `pii`."""
    if not caller.sees_people:
        raise AppError("missing_scope", "Replying to customers needs the scope 'pii'.", status=403)
    await _find(session, caller, response_id)


async def change_response_work(
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


async def add_note_to(
    session: AsyncSession, caller: Actor, response_id: UUID, text: str, *, now: datetime
) -> None:
    """Add a note for the team to an answer that the caller may see. Raises as `add_note`."""
    await _find(session, caller, response_id)
    await add_note(session, response_id, text, actor=caller, now=now)


async def decide(
    session: AsyncSession, caller: Actor, response_id: UUID, decision: Decision, *, now: datetime
) -> bool:
    """Decide about a suspect that the caller may see. Raises as `decide_suspect`."""
    await _find(session, caller, response_id)
    return await decide_suspect(session, response_id, decision, actor=caller, now=now)


async def _find(session: AsyncSession, caller: Actor, response_id: UUID) -> ResponseRow:
    row = await read_first(session, RESPONSES.visible(caller).where(RESPONSES.key == response_id))
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
