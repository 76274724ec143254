"""Responses and what the team does with them: state, assignee, tags, notes."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import true
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.fields import NoteText, Plain, ReplyText, Tag
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, list_page, matches, matches_id
from app.admin.response_work import (
    FullResponse,
    add_note_to,
    answered_in,
    change_response_work,
    has_comment,
    in_band,
    load_response,
    order_in,
    preview_reply_to,
    reply_to,
)
from app.admin.rows import RESPONSES
from app.base import clock
from app.base.errors import AppError
from app.base.ids import parse_public_id
from app.base.schemas import ApiModel, Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand
from app.brands.models import Shop
from app.brands.programme import Channel
from app.insight.periods import read_period
from app.messaging.gsm import count_segments
from app.messaging.providers.protocol import Content
from app.surveys.listed import in_state, tag_list, with_tag, with_words
from app.surveys.models import Response
from app.surveys.reply import NewReply
from app.surveys.rules import Band
from app.surveys.schemas import ResponseRow
from app.surveys.suspicion_rules import Suspicion
from app.surveys.work_rules import MOST_TAGS, WorkState

_LEFT_OUT: Any = None
"""A field with this default may be left out, but not be null."""
router = APIRouter(tags=["surveys"], route_class=ApiRoute)


class ResponseChange(BaseModel):
    """What is to be different; a field that is left out stays."""

    model_config = ConfigDict(extra="forbid")

    state: WorkState = _LEFT_OUT
    assignee: Plain | None = Field(default=None, description="`stf_…`; null for nobody.")
    tags: list[Tag] = Field(default=_LEFT_OUT, max_length=MOST_TAGS, description="All that it shall have.")
    version: int = Field(
        default=_LEFT_OUT, ge=0, lt=2**31, description="As it was read; else 409 where it was changed since."
    )


class NewNote(BaseModel):
    """A note for the team."""

    model_config = ConfigDict(extra="forbid")

    text: NoteText


class ReplyBody(BaseModel):
    """What is written to the customer."""

    model_config = ConfigDict(extra="forbid")

    channel: Channel
    text: ReplyText = Field(description="In lines; at most 600 characters by text message.")

    def reply(self) -> NewReply:
        """The reply to send."""
        return NewReply(self.channel, self.text)


class NewReplyBody(ReplyBody):
    """What is sent to the customer."""

    version: int = Field(
        default=_LEFT_OUT, ge=0, lt=2**31, description="As it was read; else 409 where it was changed since."
    )


class ReplyPreview(ApiModel):
    """A reply as the customer would get it; null for what the channel lacks."""

    subject: str | None
    html: str | None
    text: str
    sms_segments: int | None = Field(description="Parts that a provider counts.")

    @classmethod
    def of(cls, channel: Channel, content: Content) -> Self:
        """The schema of a rendered reply."""
        is_text = channel is Channel.sms
        return cls(
            subject=None if is_text else content.subject,
            html=None if is_text else content.html,
            text=content.text,
            sms_segments=count_segments(content.text).count if is_text else None,
        )


class TagRow(ApiModel):
    """A tag and the number of responses that have it."""

    name: str
    responses: int


class TagList(ApiModel):
    """The tags in use, the most used first."""

    data: list[TagRow]


class ResponseFilters(BaseModel):
    """Which responses are listed."""

    band: Band | None = None
    start: str | None = Field(
        default=None, alias="from", description="Start of the period: a date or time, in the brand's zone."
    )
    end: str | None = Field(
        default=None, alias="to", description="End of the period, excluded; a date or time."
    )
    q: Plain | None = Field(
        default=None, description="Beginnings of words in the comment, or a whole e-mail address."
    )
    customer: Plain | None = None
    state: WorkState | None = None
    assignee: Plain | None = Field(default=None, description="`stf_…` of who answers it.")
    tag: Plain | None = None
    shop: Plain | None = None
    channel: Channel | None = None
    commented: bool | None = Field(default=None, description="Whether it has a comment.")
    suspicion: Suspicion | None = Field(default=None, description="Whether a machine may have given it.")


@router.get("/responses", responses=problems(404))
async def list_responses(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    wanted: Annotated[ResponseFilters, Query()],
) -> Page[ResponseRow]:
    """Responses, newest first.

    `q` needs the scope `pii`, since an address could be guessed letter by letter.
    """
    if wanted.q and not caller.sees_people:
        raise AppError("missing_scope", "Finding words in comments needs the scope 'pii'.", status=403)
    brand = await load_brand(session, caller.brand_id)
    period = read_period(wanted.start, wanted.end, brand.time_zone)
    return await list_page(
        session,
        page,
        caller,
        RESPONSES,
        in_band(wanted.band),
        answered_in(period),
        await with_words(session, brand.id, wanted.q) if wanted.q else true(),
        matches_id(Response.customer_id, "cus", wanted.customer),
        in_state(wanted.state) if wanted.state else true(),
        matches_id(Response.assignee_id, "stf", wanted.assignee),
        with_tag(wanted.tag) if wanted.tag else true(),
        matches(Shop.slug, wanted.shop),
        matches(Response.channel, wanted.channel),
        has_comment(wanted.commented),
        matches(Response.suspicion, wanted.suspicion),
        by=order_in(period),
    )


@router.get("/tags")
async def list_tags(caller: Reader, session: SessionDep) -> TagList:
    """The tags of the brand's responses, at most 200."""
    found = await tag_list(session, caller.brand_id)
    return TagList(data=[TagRow(name=name, responses=number) for name, number in found])


@router.get("/responses/{id}", responses=problems(404))
async def show_response(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    context: ContextDep,
    session: SessionDep,
) -> FullResponse:
    """One response with what the team did with it, and how its customer may be replied to."""
    return await load_response(session, context, caller, parse_public_id("rsp", id))


@router.patch("/responses/{id}", response_model=FullResponse, responses=problems(404, 409))
async def change_response(
    id: Plain,  # noqa: A002  # the path's own word
    change: ResponseChange,
    caller: Writer,
    context: ContextDep,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Change a response's state, assignee or tags."""

    async def act() -> WriteResult:
        response_id = parse_public_id("rsp", id)
        given = change.model_dump(exclude_unset=True)
        if "assignee" in given:
            given["assignee"] = given["assignee"] or ""
        await change_response_work(write.session, caller, response_id, **given, now=clock.now())
        write.session.expire_all()
        return WriteResult(await load_response(write.session, context, caller, response_id))

    return await write.run(caller, act)


@router.post(
    "/responses/{id}/notes", status_code=201, response_model=FullResponse, responses=problems(404, 410)
)
async def add_response_note(
    id: Plain,  # noqa: A002  # the path's own word
    note: NewNote,
    caller: Writer,
    context: ContextDep,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Add a note for the team; the customer never sees it, but an export of their data has it."""

    async def act() -> WriteResult:
        response_id = parse_public_id("rsp", id)
        await add_note_to(write.session, caller, response_id, note.text, now=clock.now())
        return WriteResult(await load_response(write.session, context, caller, response_id), 201)

    return await write.run(caller, act)


@router.post(
    "/responses/{id}/reply",
    status_code=201,
    response_model=FullResponse,
    responses=problems(403, 404, 409, 410),
)
async def reply_to_response(
    id: Plain,  # noqa: A002  # the path's own word
    reply: NewReplyBody,
    caller: Writer,
    context: ContextDep,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Write to the customer; the response is answered once a provider has accepted it.

    Needs no consent to messages, since the customer wrote first; needs the scope `pii`.
    """

    async def act() -> WriteResult:
        response_id, now = parse_public_id("rsp", id), clock.now()
        await reply_to(
            write.session, context, caller, response_id, reply.reply(), version=reply.version, now=now
        )
        write.session.expire_all()
        return WriteResult(await load_response(write.session, context, caller, response_id), 201)

    return await write.run(caller, act)


@router.post("/responses/{id}/reply/preview", responses=problems(403, 404, 409))
async def preview_response_reply(
    id: Plain,  # noqa: A002  # the path's own word
    reply: ReplyBody,
    caller: Writer,
    context: ContextDep,
    session: SessionDep,
) -> ReplyPreview:
    """The reply as the customer would get it; changes nothing. Needs the scope `pii`."""
    response_id = parse_public_id("rsp", id)
    content = await preview_reply_to(session, context, caller, response_id, reply.reply())
    return ReplyPreview.of(reply.channel, content)
