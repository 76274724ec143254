"""Read the deliveries that wait for processing, and write their results."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import arrays_of, bound_recordset, constant
from app.base.prepared import Prepared
from app.ingest.models import Delivery, DeliveryFetch
from app.ingest.rules import DeliveryStatus, ProcessingResult

BATCH_BYTES = 16 * 1024 * 1024
"""The most bytes that the bodies of one batch have together."""


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A delivery that is to be processed."""

    id: UUID
    sequence: int
    shop_id: UUID
    source: str
    topic: str
    received_at: datetime
    body: bytes
    fetched: bytes | None
    status: DeliveryStatus = DeliveryStatus.new


async def load_waiting(session: AsyncSession, brand_id: int, limit: int) -> list[WaitingDelivery]:
    """The brand's oldest new deliveries, in the order of arrival.

    At most `limit`, and no further one once their bodies have `BATCH_BYTES` together.
    """
    oldest = (
        select(
            Delivery.id,
            Delivery.sequence,
            Delivery.shop_id,
            Delivery.source,
            Delivery.topic,
            Delivery.received_at,
            Delivery.body,
        )
        .where(
            Delivery.brand_id == brand_id,
            Delivery.status == constant(DeliveryStatus.new, Delivery.status.type),
        )
        .order_by(Delivery.sequence)
        .limit(limit)
        .subquery()
    )
    of_delivery = (DeliveryFetch.brand_id == brand_id) & (DeliveryFetch.delivery_id == oldest.c.id)
    fetched = select(oldest, DeliveryFetch.body.label("fetched"))
    bodies = fetched.outerjoin_from(oldest, DeliveryFetch, of_delivery).subquery()
    size = func.octet_length(bodies.c.body, type_=BigInteger) + func.coalesce(
        func.octet_length(bodies.c.fetched), 0
    )
    before = (func.sum(size).over(order_by=bodies.c.sequence) - size).label("before")
    measured = select(bodies, before).subquery()
    rows = await session.execute(
        select(*measured.c).where(measured.c.before < BATCH_BYTES).order_by(measured.c.sequence)
    )
    return [WaitingDelivery(*row[:-1]) for row in rows]


async def write_results(
    session: AsyncSession, brand_id: int, results: Mapping[UUID, ProcessingResult], *, now: datetime
) -> None:
    """Write each delivery's status and reason.

    `processed_at` becomes `now` unless it is `fetching`.
    """
    rows = [
        {"id": delivery_id, "status": result.status, "reason": result.reason}
        for delivery_id, result in results.items()
    ]
    await _WRITE.run(session, of_brand=brand_id, now=now, **arrays_of(rows, _WRITTEN))


_WRITTEN = (Delivery.id, Delivery.status, Delivery.reason)
_given = bound_recordset(_WRITTEN)
_WRITE = Prepared(
    update(Delivery)
    .where(Delivery.brand_id == bindparam("of_brand"), Delivery.id == _given.c.id)
    .values(
        status=_given.c.status,
        reason=_given.c.reason,
        processed_at=case(
            (_given.c.status != DeliveryStatus.fetching, bindparam("now", type_=DateTime(timezone=True)))
        ),
    ),
    tuple,
)
