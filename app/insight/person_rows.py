"""What the tables hold of one customer, section by section, for the export of their data."""

import json
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Result, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.ids import public_id
from app.brands.models import Shop
from app.customers.models import Customer
from app.ingest.models import Delivery, DeliveryCustomer, DeliveryFetch
from app.insight.schemas import PersonDelivery, PersonMessage
from app.ledger.models import LedgerEntry
from app.ledger.schemas import LedgerEntryRow
from app.messaging.as_sent import as_sent
from app.messaging.models import Attempt, Message, ProviderEvent, TemplateVersion
from app.messaging.schemas import AttemptRow, MessageDetail, ProviderEventRow
from app.orders.models import Order
from app.referrals.code_state import in_home_shop
from app.referrals.models import Code, Redemption, Referrer
from app.referrals.publishing.models import CodePublication
from app.referrals.reward_models import Reward
from app.referrals.schemas import CodeRow, RedemptionRow, RewardRow, shown_order
from app.surveys.listed import load_work, select_responses
from app.surveys.models import Response, Survey
from app.surveys.schemas import ResponseDetail, ResponseRow, SurveyRow


def _referrers(brand_id: int, customer_id: UUID) -> Select[UUID]:
    return select(Referrer.id).where(Referrer.brand_id == brand_id, Referrer.customer_id == customer_id)


def _redeemed(brand_id: int, customer_id: UUID) -> ColumnElement[bool]:
    """Redemptions of their codes, and their own with somebody's code."""
    return or_(
        Redemption.referrer_id.in_(_referrers(brand_id, customer_id)), Redemption.friend_id == customer_id
    )


async def surveys(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[SurveyRow]:
    """Their surveys, the skipped ones too."""
    rows: Result[Any] = await session.execute(
        select(Survey, Shop.slug.label("shop"))
        .join(Shop, (Shop.brand_id == brand_id) & (Shop.id == Survey.shop_id))
        .where(Survey.brand_id == brand_id, Survey.customer_id == customer_id)
        .order_by(Survey.id)
    )
    return [SurveyRow.from_row(row, pii=True) for row in rows]


async def responses(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[ResponseDetail]:
    """Their scores and comments, whether these may be published, and what the team did."""
    found = await session.execute(
        select_responses(brand_id).where(Response.customer_id == customer_id).order_by(Response.id)
    )
    rows = found.all()
    worked = await load_work(session, brand_id, [row.id for row in rows])
    return [ResponseDetail.of(ResponseRow.from_row(row, pii=True), worked[row.id], pii=True) for row in rows]


async def messages(
    session: AsyncSession, context: AppContext, brand_id: int, customer_id: UUID
) -> list[PersonMessage]:
    """Their messages as they were sent, with every attempt and what the providers reported."""
    found: Result[Any] = await session.execute(
        select(Message, Shop.slug.label("shop"))
        .join(Shop, (Shop.brand_id == brand_id) & (Shop.id == Message.shop_id))
        .where(Message.brand_id == brand_id, Message.customer_id == customer_id)
        .order_by(Message.id)
    )
    rows = found.all()
    # Held here, so that the session finds them without a query for each message.
    versions = await session.scalars(
        select(TemplateVersion).where(
            TemplateVersion.brand_id == brand_id,
            TemplateVersion.id.in_({row.Message.template_version_id for row in rows} - {None}),
        )
    )
    held = list(versions)
    attempts = await _attempts(session, brand_id, customer_id)
    events = await _provider_events(session, brand_id, customer_id)
    shown = []
    for row in rows:
        message: Message = row.Message
        sent = await as_sent(session, context, brand_id, message.id)
        tries = attempts.get(message.id, [])
        detail = MessageDetail.of(
            row,
            (sent.subject, sent.html, sent.text),
            [AttemptRow.of(each, pii=True) for each in tries],
            [
                ProviderEventRow.of(event, each.number, pii=True)
                for each in tries
                for event in events.get(each.id, [])
            ],
            pii=True,
        )
        shown.append(PersonMessage(**detail.__dict__, address=message.address))
    del held
    return shown


async def _attempts(session: AsyncSession, brand_id: int, customer_id: UUID) -> dict[UUID, list[Attempt]]:
    found: dict[UUID, list[Attempt]] = {}
    for attempt in await session.scalars(
        select(Attempt)
        .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
        .where(Attempt.brand_id == brand_id, Message.customer_id == customer_id)
        .order_by(Attempt.number)
    ):
        found.setdefault(attempt.message_id, []).append(attempt)
    return found


async def _provider_events(
    session: AsyncSession, brand_id: int, customer_id: UUID
) -> dict[UUID, list[ProviderEvent]]:
    found: dict[UUID, list[ProviderEvent]] = {}
    for event in await session.scalars(
        select(ProviderEvent)
        .join(
            Attempt, (Attempt.brand_id == ProviderEvent.brand_id) & (Attempt.id == ProviderEvent.attempt_id)
        )
        .join(Message, (Message.brand_id == Attempt.brand_id) & (Message.id == Attempt.message_id))
        .where(ProviderEvent.brand_id == brand_id, Message.customer_id == customer_id)
        .order_by(ProviderEvent.at, ProviderEvent.id)
    ):
        found.setdefault(event.attempt_id, []).append(event)
    return found


async def codes(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[CodeRow]:
    """Their promo codes."""
    rows: Result[Any] = await session.execute(
        select(Code, CodePublication.live_at, Reward, Customer, Shop.slug.label("shop"))
        .select_from(Code)
        .join(Referrer, (Referrer.brand_id == Code.brand_id) & (Referrer.id == Code.referrer_id))
        .join(Customer, (Customer.brand_id == Referrer.brand_id) & (Customer.id == Referrer.customer_id))
        .join(Shop, (Shop.brand_id == Referrer.brand_id) & (Shop.id == Referrer.shop_id))
        .join(CodePublication, in_home_shop(), isouter=True)
        .join(Reward, (Reward.brand_id == Code.brand_id) & (Reward.code_id == Code.id), isouter=True)
        .where(Code.brand_id == brand_id, Referrer.customer_id == customer_id)
        .order_by(Code.id)
    )
    return [CodeRow.from_row(row, pii=True) for row in rows]


async def redemptions(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[RedemptionRow]:
    """Friends' orders with their codes, and their own orders with somebody's code."""
    rows: Result[Any] = await session.execute(
        select(Redemption, Code.display.label("code"), *shown_order())
        .join(Code, (Code.brand_id == Redemption.brand_id) & (Code.id == Redemption.code_id))
        .join(Order, (Order.brand_id == Redemption.brand_id) & (Order.id == Redemption.order_id))
        .where(Redemption.brand_id == brand_id, _redeemed(brand_id, customer_id))
        .order_by(Redemption.id)
    )
    return [RedemptionRow.from_row(row, pii=True) for row in rows]


async def rewards(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[RewardRow]:
    """Their rewards, in every status."""
    rows: Result[Any] = await session.execute(
        select(Reward, Code.display.label("code"))
        .join(Code, (Code.brand_id == Reward.brand_id) & (Code.id == Reward.code_id), isouter=True)
        .where(Reward.brand_id == brand_id, Reward.referrer_id.in_(_referrers(brand_id, customer_id)))
        .order_by(Reward.id)
    )
    return [RewardRow.from_row(row, pii=True) for row in rows]


async def ledger(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[LedgerEntryRow]:
    """What was posted about their recommendations, and about orders of theirs with a code."""
    about = select(Redemption.id).where(Redemption.brand_id == brand_id, Redemption.friend_id == customer_id)
    rows = await session.execute(
        select(LedgerEntry)
        .where(
            LedgerEntry.brand_id == brand_id,
            or_(
                LedgerEntry.referrer_id.in_(_referrers(brand_id, customer_id)),
                LedgerEntry.cause_id.in_(about),
            ),
        )
        .order_by(LedgerEntry.id)
    )
    return [LedgerEntryRow.from_row(row, pii=True) for row in rows]


async def deliveries(session: AsyncSession, brand_id: int, customer_id: UUID) -> list[PersonDelivery]:
    """What shops delivered about them, as it was received, for as long as it is kept."""
    rows = await session.execute(
        select(Delivery, Shop.slug, DeliveryFetch.body)
        .join(
            DeliveryCustomer,
            (DeliveryCustomer.brand_id == Delivery.brand_id) & (DeliveryCustomer.delivery_id == Delivery.id),
        )
        .join(Shop, (Shop.brand_id == brand_id) & (Shop.id == Delivery.shop_id))
        .outerjoin(
            DeliveryFetch,
            (DeliveryFetch.brand_id == Delivery.brand_id) & (DeliveryFetch.delivery_id == Delivery.id),
        )
        .where(Delivery.brand_id == brand_id, DeliveryCustomer.customer_id == customer_id)
        .order_by(Delivery.sequence)
    )
    return [
        PersonDelivery(
            id=public_id("dlv", delivery.id),
            shop=shop,
            source=delivery.source,
            topic=delivery.topic,
            received_at=delivery.received_at,
            content=content_of(delivery.body),
            fetched=content_of(fetched),
        )
        for delivery, shop, fetched in rows
    ]


def content_of(body: bytes | None) -> JsonValue:
    """A body as JSON, or as text where it is none; None where nothing is kept."""
    if not body:
        return None
    try:
        content: JsonValue = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
    return content
