"""Orders, the surveys about them, the answers, and the messages they were asked by."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy import ColumnElement, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.auth import Reader
from app.admin.fields import Plain, moment
from app.admin.listing import PageDep, listing, matches, names, single
from app.admin.rows import MESSAGES, ORDERS, RESPONSES, SURVEYS
from app.base.errors import AppError
from app.base.ids import parse_public_id, public_id
from app.base.web.context import ContextDep, SessionDep
from app.brands.find import load_brand
from app.insight.periods import Period, read_period
from app.messaging.as_sent import as_sent
from app.messaging.models import Attempt, Message, ProviderEvent
from app.messaging.rules import MessageStatus
from app.messaging.templates import TemplateName
from app.orders.models import Order
from app.orders.rules import OrderStatus
from app.surveys.models import Response, Survey
from app.surveys.rules import Band, SkipReason, SurveyStatus

router = APIRouter(tags=["surveys"])

_SCORES = {Band.promoter: (9, 10), Band.passive: (7, 8), Band.detractor: (0, 6)}


@router.get("/orders")
async def list_orders(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    status: OrderStatus | None = None,
    customer: Plain | None = None,
) -> dict[str, Any]:
    """Orders, latest arrived first."""
    return await listing(
        session,
        page,
        caller,
        ORDERS,
        matches(Order.status, status),
        names(Order.customer_id, "cus", customer),
    )


@router.get("/surveys")
async def list_surveys(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    status: SurveyStatus | None = None,
    reason: SkipReason | None = None,
    customer: Plain | None = None,
) -> dict[str, Any]:
    """Surveys, also those skipped with their reason."""
    chosen = (
        matches(Survey.status, status),
        matches(Survey.reason, reason),
        names(Survey.customer_id, "cus", customer),
    )
    return await listing(session, page, caller, SURVEYS, *chosen)


@router.get("/responses")
async def list_responses(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    band: Band | None = None,
    start: Annotated[
        str | None, Query(alias="from", description="Date or time, in the brand's zone.")
    ] = None,
    end: Annotated[str | None, Query(alias="to", description="Where it ends, excluded.")] = None,
    q: Annotated[Plain | None, Query(description="Words in the comment.")] = None,
    customer: Plain | None = None,
) -> dict[str, Any]:
    """Answers, newest first; `q` wants the scope `pii`, since an address could be guessed letter by letter."""
    if q and not caller.sees_people:
        raise AppError("missing_scope", "Finding words in comments wants the scope 'pii'.", status=403)
    brand = await load_brand(session, caller.brand_id)
    low, high = _SCORES[band] if band else (0, 10)
    said = true() if not q else Response.comment.icontains(q, autoescape=True)
    return await listing(
        session,
        page,
        caller,
        RESPONSES,
        Response.score.between(low, high),
        _answered_in(read_period(start, end, brand.time_zone)),
        said,
        names(Response.customer_id, "cus", customer),
    )


def _answered_in(period: Period) -> ColumnElement[bool]:
    since = true() if period.start is None else Response.answered_at >= period.start
    return since & (true() if period.end is None else Response.answered_at < period.end)


@router.get("/messages")
async def list_messages(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    template: TemplateName | None = None,
    status: MessageStatus | None = None,
    customer: Plain | None = None,
) -> dict[str, Any]:
    """Messages, also those that were not sent and why."""
    chosen = (
        matches(Message.template, template),
        matches(Message.status, status),
        names(Message.customer_id, "cus", customer),
    )
    return await listing(session, page, caller, MESSAGES, *chosen)


@router.get("/messages/{id}")
async def show_message(id: Plain, caller: Reader, context: ContextDep, session: SessionDep) -> dict[str, Any]:  # noqa: A002  # the path's own word
    """One message as it was sent (its links masked), every attempt, and what the providers told.

    Without the scope `pii` subject, html and text are null: they name the person.
    """
    message_id = parse_public_id("msg", id)
    message = await single(session, caller, MESSAGES, message_id)
    sent = await as_sent(session, context, caller.brand_id, message_id) if caller.sees_people else None
    message["subject"] = sent and sent.subject
    message["html"] = sent and sent.html
    message["text"] = sent and sent.text
    message["attempts"] = await _attempts(session, caller.brand_id, message_id)
    message["provider_events"] = await _provider_events(session, caller.brand_id, message_id)
    return message


async def _attempts(session: AsyncSession, brand_id: int, message_id: UUID) -> list[dict[str, Any]]:
    found = await session.scalars(
        select(Attempt)
        .where(Attempt.brand_id == brand_id, Attempt.message_id == message_id)
        .order_by(Attempt.number)
    )
    return [
        {
            "id": public_id("att", each.id),
            "number": each.number,
            "provider": each.provider,
            "status": each.status,
            "provider_ref": each.provider_ref,
            "error": each.error,
            "started_at": moment(each.started_at),
            "finished_at": moment(each.finished_at),
        }
        for each in found
    ]


async def _provider_events(session: AsyncSession, brand_id: int, message_id: UUID) -> list[dict[str, Any]]:
    found = await session.execute(
        select(ProviderEvent, Attempt.number)
        .join(
            Attempt, (Attempt.brand_id == ProviderEvent.brand_id) & (Attempt.id == ProviderEvent.attempt_id)
        )
        .where(Attempt.brand_id == brand_id, Attempt.message_id == message_id)
        .order_by(ProviderEvent.at, ProviderEvent.id)
    )
    return [
        {
            "attempt": number,
            "provider": it.provider,
            "kind": it.kind,
            "detail": it.detail,
            "at": moment(it.at),
        }
        for it, number in found
    ]
