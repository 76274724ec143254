"""Deliveries that only call off, or doubt, orders that nobody has reported."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids, in_texts
from app.ingest.parse import ParsedBatch
from app.ingest.rules import NOTHING_USED, DeliveryStatus, ParsedEvent, ProcessingResult
from app.orders.models import Order
from app.orders.rules import external_order_id
from app.platforms.events import OrderCancelled, OrderDisputed, OrderPaid, PlatformEvent

_Key = tuple[UUID, str]
"""The shop and the order's external id."""


async def ignore_unknown(session: AsyncSession, brand_id: int, parsed: ParsedBatch) -> None:
    """Ignore what may be taken back about orders that are unknown when it arrives.

    A card that was declined, say: whatever comes of it is reported as an order then. What was
    cancelled is kept, since the order may be reported after it.
    """
    wanted = {_key(each[0]) for each in parsed.events if _may_be_nothing(each)}
    if not wanted:
        return
    rows = await session.execute(
        select(Order.shop_id, Order.external_id).where(
            Order.brand_id == brand_id,
            in_ids(Order.shop_id, sorted({shop_id for shop_id, _ in wanted})),
            in_texts(Order.external_id, sorted({external_id for _, external_id in wanted})),
        )
    )
    known: set[_Key] = {(row.shop_id, row.external_id) for row in rows}
    kept = []
    for events in parsed.events:
        if _may_be_nothing(events) and _key(events[0]) not in known:
            ignored = ProcessingResult(DeliveryStatus.ignored, NOTHING_USED)
            parsed.results[events[0].delivery_id] = ignored
            continue
        known |= {_key(each) for each in events if isinstance(each.event, OrderPaid)}
        kept.append(events)
    parsed.events[:] = kept


def _may_be_nothing(events: Sequence[ParsedEvent]) -> bool:
    return all(_is_tentative(each.event) for each in events)


def _is_tentative(event: PlatformEvent) -> bool:
    match event:
        case OrderCancelled(tentative=is_tentative) | OrderDisputed(revocable=is_tentative):
            return is_tentative
        case _:
            return False


def _key(event: ParsedEvent) -> _Key:
    about = event.event
    assert isinstance(about, OrderPaid | OrderCancelled | OrderDisputed)  # noqa: S101  # as selected
    return event.shop_id, external_order_id(about.order_id)
