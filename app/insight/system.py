"""What operators watch of one brand: what waits, what the shops delivered last, what fails.

`app.insight.health` has the state of the whole installation, for metrics.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.schemas import ApiModel
from app.brands.find import load_shops
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.insight.health import STUCK_AFTER
from app.messaging.account_rules import is_own_circuit
from app.messaging.circuits import load_circuits
from app.messaging.models import Message
from app.messaging.rules import MessageStatus

_LATEST = 5_000
"""Deliveries among which each shop's last one is looked for."""


class ShopDeliveries(ApiModel):
    """A shop's last delivery; null where it is not among the brand's latest 5,000."""

    shop: str
    name: str
    platform: str
    last_delivery_at: datetime | None


class OpenCircuit(ApiModel):
    """An account at a provider by which nothing is sent, as its calls failed."""

    provider: str
    own: bool
    since: datetime
    reason: str


class SystemReport(ApiModel):
    """The state of a brand's work; times are UTC, `oldest_delivery_at` is null where none waits."""

    deliveries_waiting: int
    oldest_delivery_at: datetime | None
    deliveries_failed: int
    messages_due: int
    oldest_message_at: datetime | None
    messages_stuck: int
    messages_in_review: int
    shops: list[ShopDeliveries]
    circuits: list[OpenCircuit]


async def system_report(session: AsyncSession, brand_id: int, *, now: datetime) -> SystemReport:
    """Read the state at `now`; six small queries."""
    of_brand = Delivery.brand_id == brand_id
    waiting = await session.execute(
        select(func.count(), func.min(Delivery.created_at)).where(
            of_brand, Delivery.status == DeliveryStatus.new
        )
    )
    deliveries, oldest_delivery = waiting.one()
    failed = select(func.count()).where(of_brand, Delivery.status == DeliveryStatus.failed)
    due = await session.execute(
        select(
            func.count(),
            func.min(Message.due_at),
            func.count().filter(Message.due_at <= now - STUCK_AFTER),
        ).where(Message.brand_id == brand_id, Message.status == MessageStatus.planned, Message.due_at <= now)
    )
    messages, oldest_message, late = due.one()
    sending = select(func.count()).where(
        Message.brand_id == brand_id,
        Message.status == MessageStatus.sending,
        Message.claimed_at <= now - STUCK_AFTER,
    )
    in_review = select(func.count()).where(
        Message.brand_id == brand_id, Message.status == MessageStatus.review
    )
    return SystemReport(
        deliveries_waiting=deliveries,
        oldest_delivery_at=oldest_delivery,
        deliveries_failed=await session.scalar(failed) or 0,
        messages_due=messages,
        oldest_message_at=oldest_message,
        messages_stuck=late + (await session.scalar(sending) or 0),
        messages_in_review=await session.scalar(in_review) or 0,
        shops=await shop_deliveries(session, brand_id),
        circuits=await _circuits(session, brand_id),
    )


async def shop_deliveries(session: AsyncSession, brand_id: int) -> list[ShopDeliveries]:
    """Each shop with its last delivery, by the brand's latest ones alone."""
    latest = (
        select(Delivery.shop_id, Delivery.received_at)
        .where(Delivery.brand_id == brand_id)
        .order_by(Delivery.id.desc())
        .limit(_LATEST)
        .subquery()
    )
    found = await session.execute(
        select(latest.c.shop_id, func.max(latest.c.received_at).label("last")).group_by(latest.c.shop_id)
    )
    last = {row.shop_id: row.last for row in found}
    return [
        ShopDeliveries(
            shop=shop.slug, name=shop.name, platform=shop.platform, last_delivery_at=last.get(shop.id)
        )
        for shop in (await load_shops(session, brand_id)).values()
    ]


async def _circuits(session: AsyncSession, brand_id: int) -> list[OpenCircuit]:
    """The open ones of the installation's accounts and of the brand's own."""
    circuits = []
    for each in (await load_circuits(session)).values():
        own = is_own_circuit(each.provider)
        if each.opened_at is None or (own and each.provider.rpartition("/")[2] != str(brand_id)):
            continue
        name = each.provider.partition("/")[0]
        circuits.append(OpenCircuit(provider=name, own=own, since=each.opened_at, reason=each.reason))
    return circuits
