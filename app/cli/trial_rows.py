"""What `tenfold try` reads of its order's way."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.base.context import AppContext
from app.brands.models import Shop
from app.brands.programme import Channel
from app.customers.models import ConsentFact
from app.ingest.models import Delivery
from app.insight.timeline import timeline
from app.messaging.models import Attempt, Message, OutboxItem
from app.messaging.rules import MessageStatus
from app.orders.models import Order
from app.referrals.models import Code, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.rules import PublicationState
from app.referrals.templates import OFFER
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from app.surveys.templates import SURVEY

_UNDER_WAY = (MessageStatus.planned, MessageStatus.sending)


async def find_unknown_consents(
    context: AppContext, brand_id: int, customer_ids: Collection[UUID]
) -> set[Channel]:
    """The channels for which none of these customers has a consent or refusal."""
    async with context.sessions() as session:
        known = await session.scalars(
            select(ConsentFact.channel).where(
                ConsentFact.brand_id == brand_id, ConsentFact.customer_id.in_(customer_ids)
            )
        )
        return set(Channel) - set(known)


async def find_delivery(context: AppContext, shop: Shop, external_id: str) -> Delivery | None:
    """What the shop delivered under this id."""
    async with context.sessions() as session:
        return await session.scalar(
            select(Delivery).where(
                Delivery.brand_id == shop.brand_id,
                Delivery.shop_id == shop.id,
                Delivery.external_id == external_id,
            )
        )


async def find_survey(
    context: AppContext, shop: Shop, order_id: str, *, is_decided: bool = False
) -> Survey | None:
    """The survey about the shop's order; with `is_decided` once it is sent or skipped."""
    async with context.sessions() as session:
        query = (
            select(Survey)
            .join(Order, (Order.brand_id == Survey.brand_id) & (Order.id == Survey.order_id))
            .where(Order.brand_id == shop.brand_id, Order.shop_id == shop.id, Order.external_id == order_id)
        )
        if is_decided:
            query = query.where(Survey.status != SurveyStatus.planned)
        return await session.scalar(query)


async def find_message(context: AppContext, survey: Survey) -> Message | None:
    """The survey's message once it is no longer under way."""
    async with context.sessions() as session:
        return await session.scalar(
            select(Message).where(
                Message.brand_id == survey.brand_id,
                Message.template == SURVEY.name,
                Message.subject_id == survey.id,
                Message.status.not_in(_UNDER_WAY),
            )
        )


async def find_outbox_item(context: AppContext, message: Message) -> UUID | None:
    """The message in the outbox, where there is no other provider."""
    async with context.sessions() as session:
        return await session.scalar(
            select(OutboxItem.id)
            .join(Attempt, (Attempt.brand_id == OutboxItem.brand_id) & (Attempt.id == OutboxItem.id))
            .where(OutboxItem.brand_id == message.brand_id, Attempt.message_id == message.id)
            .limit(1)
        )


async def offers_are_sent(
    context: AppContext, brand_id: int, customer_id: UUID, *, now: datetime
) -> bool | None:
    """True once none of the person's offers that are due at `now` is under way, else None.

    One whose code is being put into the shop is under way.
    """
    async with context.sessions() as session:
        unpublished = await session.scalar(
            select(CodePublication.code_id)
            .join(Code, (Code.brand_id == CodePublication.brand_id) & (Code.id == CodePublication.issued_id))
            .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
            .where(
                Referrer.brand_id == brand_id,
                Referrer.customer_id == customer_id,
                Code.active,
                CodePublication.state.in_([PublicationState.wanted, PublicationState.sending]),
            )
            .limit(1)
        )
        if unpublished is not None:
            return None
        waiting = await session.scalar(
            select(Message.id)
            .where(
                Message.brand_id == brand_id,
                Message.customer_id == customer_id,
                Message.template == OFFER.name,
                Message.status.in_(_UNDER_WAY),
                Message.due_at <= now,
            )
            .limit(1)
        )
        return True if waiting is None else None


async def decisions_about(
    context: AppContext, brand_id: int, customer_id: UUID
) -> list[tuple[datetime, str]]:
    """Every fact and decision about a person with its time, the oldest first."""
    async with context.sessions() as session:
        entries = await timeline(session, context.tokens, brand_id, customer_id, pii=True)
    return [(entry.at, entry.text) for entry in entries]
