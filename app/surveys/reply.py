"""Reply to a response by e-mail or text: one message, and what was written beside the response."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.context import AppContext
from app.base.errors import AppError, NotFound
from app.base.prepared import Prepared
from app.base.text import several_lines
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.brands.rules import zone_or
from app.brands.setup import load_setup
from app.customers.consent import load_contact_options
from app.customers.rules import ContactOptions
from app.messaging.models import Message
from app.messaging.own_texts import load_own_texts
from app.messaging.preview import Previewer
from app.messaging.providers.protocol import Content
from app.messaging.queue import NewMessage, queue_messages
from app.surveys.models import Response, ResponseEvent, Survey
from app.surveys.templates import REPLY, ReplyParams
from app.surveys.work import changed_meanwhile, lock_response, record_work
from app.surveys.work_rules import REPLY_LIMITS, ReplyRefusal, WorkEvent, reply_refusal

_REFUSED = {
    ReplyRefusal.erased: "This person was erased; nothing can be sent to them.",
    ReplyRefusal.unsubscribed: "They want no more messages by {channel}; nothing can be sent there.",
    ReplyRefusal.no_address: "No address is known by which a reply would reach them by {channel}.",
}
_CHANNELS = {Channel.email: "e-mail", Channel.sms: "text"}


@dataclass(frozen=True, slots=True)
class NewReply:
    """What somebody of the team writes to a customer."""

    channel: Channel
    words: str


@dataclass(frozen=True, slots=True)
class Respondent:
    """Who answered, where, and how they may be written to."""

    brand: Brand
    shop: Shop
    options: ContactOptions

    @property
    def locale(self) -> str:
        """Of what is written to them."""
        return self.options.locale or self.shop.locale


async def load_respondent(
    session: AsyncSession, context: AppContext, brand_id: int, response_id: UUID
) -> Respondent:
    """Who gave this response. Raises NotFound."""
    found = await _ANSWERED.first(session, of_brand=brand_id, response=response_id)
    if found is None or found.customer_id is None:
        raise NotFound
    setup = await load_setup(session, brand_id)
    people = await load_contact_options(session, context.tokens, setup.brand, [found.customer_id])
    return Respondent(setup.brand, setup.shops[found.shop_id], people[found.customer_id])


class _Answered(NamedTuple):
    customer_id: UUID | None
    shop_id: UUID


_ANSWERED = Prepared(
    select(Survey.customer_id, Survey.shop_id)
    .join(Response, (Response.brand_id == Survey.brand_id) & (Response.survey_id == Survey.id))
    .where(Response.brand_id == bindparam("of_brand"), Response.id == bindparam("response")),
    _Answered,
)


async def preview_reply(
    session: AsyncSession, context: AppContext, brand_id: int, response_id: UUID, reply: NewReply
) -> Content:
    """The reply as it would be sent now; nothing is written. Raises as `send_reply`."""
    respondent = await load_respondent(session, context, brand_id, response_id)
    response = await session.get_one(Response, (brand_id, response_id))
    _check_allowed(respondent, reply.channel)
    values = _params(respondent, response, _clean(reply))
    texts = await load_own_texts(session, respondent.brand)
    previewer = Previewer(context, respondent.brand, respondent.shop)
    return previewer.message(REPLY, reply.channel, respondent.locale, texts, values)


async def send_reply(
    session: AsyncSession,
    context: AppContext,
    response_id: UUID,
    reply: NewReply,
    *,
    version: int | None,
    actor: Actor,
    now: datetime,
) -> None:
    """Queue a reply to a response of the actor's brand; it is answered once that is accepted.

    `version` is the one that the actor saw: the same reply sent twice is sent once. Raises
    NotFound, and AppError: `empty_reply`, `reply_too_long`, `reply_refused` (409) where the person
    may not be written to, `erased` (410), and `changed_meanwhile` (409) where somebody changed the
    response since.
    """
    words = _clean(reply)
    response = await lock_response(session, actor.brand_id, response_id, of_somebody=True)
    latest = await _latest_reply(session, actor.brand_id, response_id)
    if version is not None and version != response.version:
        if latest and (latest.actor_id, latest.text) == (actor.id, words) and version == response.version - 1:
            return
        raise changed_meanwhile("reply")
    respondent = await load_respondent(session, context, actor.brand_id, response_id)
    step = await _next_step(session, actor.brand_id, response_id)
    message = _message(respondent, response, reply.channel, words, step=step, now=now)
    if not await queue_messages(session, actor.brand_id, [message]):
        raise RuntimeError("replies to a response whose row is locked come one after the other")
    response.replying = True
    response.version += 1
    await session.flush()
    await record_work(session, response_id, [(WorkEvent.replied, words)], actor=actor, now=now)
    await record_action(session, actor, AuditAction.response_replied, ("rsp", response_id))


def _message(
    respondent: Respondent, response: Response, channel: Channel, words: str, *, step: int, now: datetime
) -> NewMessage:
    return NewMessage(
        template=REPLY,
        subject_id=response.id,
        customer_id=response.customer_id,
        shop_id=respondent.shop.id,
        channel=channel,
        address=_check_allowed(respondent, channel),
        locale=respondent.locale,
        template_params=_params(respondent, response, words),
        due_at=now,
        step=step,
        at_once=True,
        trial=response.trial,
    )


async def _latest_reply(session: AsyncSession, brand_id: int, response_id: UUID) -> ResponseEvent | None:
    replies = select(ResponseEvent).where(
        ResponseEvent.brand_id == brand_id,
        ResponseEvent.response_id == response_id,
        ResponseEvent.kind == WorkEvent.replied,
    )
    return await session.scalar(replies.order_by(ResponseEvent.id.desc()).limit(1))


async def _next_step(session: AsyncSession, brand_id: int, response_id: UUID) -> int:
    """The step of the next reply: behind every message that there is, recovered ones too."""
    latest = select(func.max(Message.step)).where(
        Message.brand_id == brand_id, Message.template == REPLY.name, Message.subject_id == response_id
    )
    step = await session.scalar(latest)
    return 0 if step is None else step + 1


def _clean(reply: NewReply) -> str:
    """The words as they are sent. Raises AppError: `empty_reply`, `reply_too_long`."""
    limit = REPLY_LIMITS[reply.channel]
    words = several_lines(reply.words, limit=limit + 1)
    if not words:
        raise AppError("empty_reply", "Write something first.")
    if len(words) > limit:
        raise AppError(
            "reply_too_long", f"A reply by {_CHANNELS[reply.channel]} has at most {limit} characters."
        )
    return words


def _check_allowed(respondent: Respondent, channel: Channel) -> str:
    """The address. Raises AppError (`reply_refused`, 409) where nothing may be sent there."""
    refusal, address = reply_refusal(respondent.options, channel), respondent.options.reply_address(channel)
    if refusal is not None or address is None:
        sentence = _REFUSED[refusal or ReplyRefusal.no_address].format(channel=_CHANNELS[channel])
        raise AppError("reply_refused", sentence, status=409)
    return address


def _params(respondent: Respondent, response: Response, words: str) -> ReplyParams:
    zone = zone_or(respondent.shop.time_zone, respondent.brand.time_zone)
    return ReplyParams(
        first_name=respondent.options.first_name,
        words=words,
        score=str(response.score),
        answered_on=response.answered_at.astimezone(zone).date().isoformat(),
        comment=response.comment,
    )
