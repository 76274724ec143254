"""Orders, the surveys about them, and the messages that were sent."""

from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader
from app.admin.fields import Plain
from app.admin.listing import PageDep, list_page, matches, matches_id
from app.admin.rows import MESSAGES, ORDERS, SURVEYS
from app.base.actor import Actor
from app.base.errors import NotFound
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.messaging.as_sent import as_sent
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.rules import MessageStatus
from app.messaging.schemas import AttemptRow, MessageDetail, MessageRow, ProviderEventRow
from app.messaging.templates import TemplateName
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.orders.schemas import OrderRow
from app.surveys.models import Survey
from app.surveys.rules import SkipReason, SurveyStatus
from app.surveys.schemas import SurveyRow

router = APIRouter(tags=["surveys"], route_class=ApiRoute)


@router.get("/orders", responses=problems(404))
async def list_orders(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    status: OrderStatus | None = None,
    customer: Plain | None = None,
) -> Page[OrderRow]:
    """Orders, the latest received first."""
    return await list_page(
        session,
        page,
        caller,
        ORDERS,
        matches(Order.status, status),
        matches_id(Order.customer_id, "cus", customer),
    )


@router.get("/surveys", responses=problems(404))
async def list_surveys(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    status: SurveyStatus | None = None,
    reason: SkipReason | None = None,
    customer: Plain | None = None,
) -> Page[SurveyRow]:
    """Surveys, also those skipped with their reason."""
    chosen = (
        matches(Survey.status, status),
        matches(Survey.reason, reason),
        matches_id(Survey.customer_id, "cus", customer),
    )
    return await list_page(session, page, caller, SURVEYS, *chosen)


@router.get("/messages", responses=problems(404))
async def list_messages(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    template: TemplateName | None = None,
    status: MessageStatus | None = None,
    customer: Plain | None = None,
) -> Page[MessageRow]:
    """Messages, also those that were not sent and why."""
    chosen = (
        matches(Message.template, template),
        matches(Message.status, status),
        matches_id(Message.customer_id, "cus", customer),
    )
    return await list_page(session, page, caller, MESSAGES, *chosen)


@router.get("/messages/{id}", responses=problems(404))
async def show_message(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    context: ContextDep,
    session: SessionDep,
) -> MessageDetail:
    """One message as it was sent, with its attempts and the provider's events; links are masked.

    Without the scope `pii` subject, html and text are null: they name the person.
    """
    message_id = parse_public_id("msg", id)
    rows = await session.execute(MESSAGES.visible(caller).where(MESSAGES.key == message_id))
    row = rows.first()
    if row is None:
        raise NotFound
    content: tuple[str | None, str | None, str | None] = (None, None, None)
    if caller.sees_people:
        sent = await as_sent(session, context, caller.brand_id, message_id)
        content = (sent.subject, sent.html, sent.text)
    attempts = await _attempts(session, caller, message_id)
    events = await _provider_events(session, caller, message_id)
    return MessageDetail.of(row, content, attempts, events, pii=caller.sees_people)


async def _attempts(session: AsyncSession, caller: Actor, message_id: UUID) -> list[AttemptRow]:
    attempts = await session.scalars(
        select(Attempt)
        .where(Attempt.brand_id == caller.brand_id, Attempt.message_id == message_id)
        .order_by(Attempt.number)
    )
    return [AttemptRow.of(attempt, pii=caller.sees_people) for attempt in attempts]


async def _provider_events(session: AsyncSession, caller: Actor, message_id: UUID) -> list[ProviderEventRow]:
    rows = await session.execute(
        select(ProviderEvent, Attempt.number)
        .join(
            Attempt, (Attempt.brand_id == ProviderEvent.brand_id) & (Attempt.id == ProviderEvent.attempt_id)
        )
        .where(Attempt.brand_id == caller.brand_id, Attempt.message_id == message_id)
        .order_by(ProviderEvent.at, ProviderEvent.id)
    )
    return [ProviderEventRow.of(event, number, pii=caller.sees_people) for event, number in rows]
