"""Messages that a person decides about: sent again, or dismissed."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Writer
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import get_row
from app.admin.rows import MESSAGES
from app.base import clock
from app.base.batch import as_row
from app.base.ids import parse_public_id
from app.base.schemas import ApiModel
from app.base.web.openapi import problems
from app.brands.programme import Channel
from app.messaging.resend import (
    MessageSelection,
    dismiss_message,
    dismiss_selected,
    resend_message,
    resend_selected,
)
from app.messaging.rules import MessageStatus
from app.messaging.schemas import MessageRow
from app.messaging.templates import TemplateName
from app.surveys.expire import over_messages

router = APIRouter(prefix="/messages", tags=["surveys"], route_class=ApiRoute)


class Selection(BaseModel):
    """Messages of one status, of all templates and channels where none is named."""

    model_config = ConfigDict(extra="forbid")

    status: Literal[MessageStatus.failed, MessageStatus.review]
    template: TemplateName | None = None
    channel: Channel | None = None

    def selected(self) -> MessageSelection:
        """As the steps take it."""
        return MessageSelection(self.status, self.template, self.channel)


class ResendResult(ApiModel):
    """How many messages were planned again, skipped by reason, and are left for a further call."""

    messages: int
    skipped: dict[str, int]
    remaining: int


class SelectionResult(ApiModel):
    """How many messages were changed, and how many of the selection are left for a further call."""

    messages: int
    remaining: int


@router.post("/resend", response_model=ResendResult, responses=problems(413))
async def resend_many(selection: Selection, caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Send up to 1,000 failed messages, or messages in review, again; the oldest first.

    Surveys that have expired or are answered are skipped, and counted by reason.
    """

    async def act() -> WriteResult:
        now = clock.now()
        selected, over = selection.selected(), over_messages(now)
        result = await resend_selected(
            write.session, caller.brand_id, selected, over=over, actor=caller, now=now
        )
        return WriteResult(ResendResult(**as_row(result)))

    return await write.run(caller, act)


@router.post("/dismiss", response_model=SelectionResult, responses=problems(413))
async def dismiss_many(selection: Selection, caller: Writer, write: IdempotentWriteDep) -> JSONResponse:
    """Dismiss up to 1,000 failed messages, or messages in review; the oldest first."""

    async def act() -> WriteResult:
        changed, left = await dismiss_selected(
            write.session, caller.brand_id, selection.selected(), actor=caller
        )
        return WriteResult(SelectionResult(messages=changed, remaining=left))

    return await write.run(caller, act)


@router.post("/{id}/resend", response_model=MessageRow, responses=problems(404, 409))
async def resend(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Send a message again that failed, is in review, or that the customer lost; a new attempt."""

    async def act() -> WriteResult:
        message_id = parse_public_id("msg", id)
        now = clock.now()
        # Who lost a survey may see their answer again, but nobody sees one that has expired.
        over = {"survey_expired": over_messages(now)["survey_expired"]}
        await resend_message(write.session, caller.brand_id, message_id, over=over, actor=caller, now=now)
        return WriteResult(await get_row(write.session, caller, MESSAGES, message_id))

    return await write.run(caller, act)


@router.post("/{id}/dismiss", response_model=MessageRow, responses=problems(404, 409))
async def dismiss(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Decide that a message that failed or is in review is not sent again."""

    async def act() -> WriteResult:
        message_id = parse_public_id("msg", id)
        await dismiss_message(write.session, caller.brand_id, message_id, actor=caller)
        return WriteResult(await get_row(write.session, caller, MESSAGES, message_id))

    return await write.run(caller, act)
