"""Raw bodies of deliveries: read those that name people, and delete them."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import in_ids
from app.ingest.claim import WaitingDelivery
from app.ingest.models import Delivery, DeliveryCustomer, DeliveryFetch
from app.ingest.rules import DeliveryStatus

ERASED_CONTENT = "Its content was deleted: a person it names was erased."
CHUNK = 200
"""Deliveries that are read at once."""
KEPT_WHOLE = (DeliveryStatus.new, DeliveryStatus.fetching)
"""What still waits is never emptied: what it holds of others would be lost."""
_COLUMNS = (
    Delivery.id,
    Delivery.sequence,
    Delivery.shop_id,
    Delivery.source,
    Delivery.topic,
    Delivery.received_at,
    Delivery.body,
    DeliveryFetch.body,
    Delivery.status,
)


def _with_content(brand_id: int, *, waiting: bool = False) -> Select[*tuple[Any, ...]]:
    """Select the columns of `WaitingDelivery` of deliveries that still have content.

    Processed ones only, unless `waiting`.
    """
    return (
        select(*_COLUMNS)
        .outerjoin(
            DeliveryFetch,
            and_(DeliveryFetch.brand_id == brand_id, DeliveryFetch.delivery_id == Delivery.id),
        )
        .where(
            Delivery.brand_id == brand_id,
            true() if waiting else Delivery.status.not_in(KEPT_WHOLE),
            or_(Delivery.body != b"", DeliveryFetch.body != b""),
        )
        .limit(CHUNK)
    )


async def load_unlinked(
    session: AsyncSession, brand_id: int, *, before: int, after: UUID | None, waiting: bool = False
) -> list[WaitingDelivery]:
    """The next `CHUNK` deliveries with content that are linked to nobody, by id.

    Only those that arrived before the place `before`; with `waiting` also those not processed yet.
    """
    linked = exists().where(
        DeliveryCustomer.brand_id == brand_id, DeliveryCustomer.delivery_id == Delivery.id
    )
    query = _with_content(brand_id, waiting=waiting).where(Delivery.sequence < before, ~linked)
    if after is not None:
        query = query.where(Delivery.id > after)
    rows = await session.execute(query.order_by(Delivery.id))
    return [WaitingDelivery(*row) for row in rows]


async def load_linked(
    session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID], *, after: UUID | None = None
) -> list[WaitingDelivery]:
    """The next `CHUNK` deliveries with content that are linked to these customers, by id."""
    query = _with_content(brand_id).where(
        Delivery.id.in_(
            select(DeliveryCustomer.delivery_id).where(
                DeliveryCustomer.brand_id == brand_id, in_ids(DeliveryCustomer.customer_id, customer_ids)
            )
        )
    )
    if after is not None:
        query = query.where(Delivery.id > after)
    rows = await session.execute(query.order_by(Delivery.id))
    return [WaitingDelivery(*row) for row in rows]


async def empty_linked(session: AsyncSession, brand_id: int, customer_ids: Sequence[UUID]) -> int:
    """Delete the content of processed deliveries that name these customers; returns how many."""
    named = select(DeliveryCustomer.delivery_id).where(
        DeliveryCustomer.brand_id == brand_id, in_ids(DeliveryCustomer.customer_id, customer_ids)
    )
    return await _empty(session, brand_id, Delivery.id.in_(named), Delivery.status.not_in(KEPT_WHOLE))


async def empty_deliveries(session: AsyncSession, brand_id: int, ids: Collection[UUID]) -> int:
    """Delete the content of those of these deliveries that do not wait; returns how many."""
    return await _empty(
        session, brand_id, in_ids(Delivery.id, sorted(ids)), Delivery.status.not_in(KEPT_WHOLE)
    )


async def empty_in_process(session: AsyncSession, brand_id: int, ids: Collection[UUID]) -> int:
    """As `empty_deliveries`, for deliveries that this very transaction processes."""
    return await _empty(session, brand_id, in_ids(Delivery.id, sorted(ids)))


async def _empty(session: AsyncSession, brand_id: int, *conditions: ColumnElement[bool]) -> int:
    was_failed = Delivery.status == DeliveryStatus.failed
    emptied = list(
        await session.scalars(
            update(Delivery)
            .where(Delivery.brand_id == brand_id, *conditions)
            # A failed one has nothing left to replay.
            .values(
                body=b"",
                status=case((was_failed, DeliveryStatus.ignored), else_=Delivery.status),
                reason=case((was_failed, ERASED_CONTENT), else_=Delivery.reason),
            )
            .returning(Delivery.id)
            .execution_options(synchronize_session=False)
        )
    )
    if emptied:
        await session.execute(
            update(DeliveryFetch)
            .where(
                DeliveryFetch.brand_id == brand_id,
                in_ids(DeliveryFetch.delivery_id, emptied),
                DeliveryFetch.body.is_not(None),
            )
            .values(body=b"")
            .execution_options(synchronize_session=False)
        )
    return len(emptied)
