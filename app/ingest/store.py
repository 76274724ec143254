"""Store deliveries raw, each once, and replay failed or ignored ones."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.batch import as_row
from app.base.errors import AppError, NotFound
from app.base.ids import new_id
from app.ingest.models import Delivery, DeliveryFetch
from app.ingest.rules import DeliveryStatus

SWEEP_NAME = "ingest"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery before it is stored.

    A repetition has the same `external_id` and body and is the same row.
    """

    brand_id: int
    shop_id: UUID
    source: str
    topic: str
    external_id: str
    body: bytes
    received_at: datetime

    @property
    def body_hash(self) -> bytes:
        """16 bytes that tell another body under the same id apart."""
        return hashlib.sha256(self.body).digest()[:16]


_INSERT = """
INSERT INTO deliveries (
    brand_id, id, shop_id, source, topic, external_id, body, body_hash, status, received_at
)
SELECT u.brand_id, u.id, u.shop_id, u.source, u.topic, u.external_id, u.body, u.body_hash, 'new', u.received_at
FROM (
    SELECT unnest($1::int[]) AS brand_id, unnest($2::uuid[]) AS id, unnest($3::uuid[]) AS shop_id,
        unnest($4::text[]) AS source, unnest($5::text[]) AS topic, unnest($6::text[]) AS external_id,
        unnest($7::bytea[]) AS body, unnest($8::bytea[]) AS body_hash, unnest($9::timestamptz[]) AS received_at
) AS u
ON CONFLICT (brand_id, shop_id, source, external_id, body_hash) DO NOTHING
"""


async def store_deliveries(session: AsyncSession, incoming: Sequence[NewDelivery]) -> None:
    """Insert deliveries in one statement and wake the sweep once; known ones change nothing.

    Rows are written in the order of their key. Otherwise two processes that got the same deliveries
    in different orders would wait for each other.
    """
    rows = sorted(incoming, key=lambda each: (each.brand_id, each.shop_id, each.source, each.external_id))
    values = (
        [each.brand_id for each in rows],
        [new_id() for _ in rows],
        [each.shop_id for each in rows],
        [each.source for each in rows],
        [each.topic for each in rows],
        [each.external_id for each in rows],
        [each.body for each in rows],
        [each.body_hash for each in rows],
        [each.received_at for each in rows],
    )
    connection = await session.connection()
    await connection.exec_driver_sql(_INSERT, values)
    await due.wake(session, SWEEP_NAME)


async def store_processed(session: AsyncSession, delivery: NewDelivery, *, now: datetime) -> UUID:
    """Store a delivery that is processed in this transaction, or find it; returns its id."""
    values = {
        **as_row(delivery),
        "body_hash": delivery.body_hash,
        "id": new_id(),
        "status": DeliveryStatus.processed,
        "processed_at": now,
    }
    made: UUID | None = await session.scalar(
        insert(Delivery).values(values).on_conflict_do_nothing().returning(Delivery.id)
    )
    if made is not None:
        return made
    known = await session.scalars(
        select(Delivery.id).where(
            Delivery.brand_id == delivery.brand_id,
            Delivery.shop_id == delivery.shop_id,
            Delivery.source == delivery.source,
            Delivery.external_id == delivery.external_id,
            Delivery.body_hash == delivery.body_hash,
        )
    )
    return known.one()


async def store_failed(
    session: AsyncSession, deliveries: Sequence[tuple[NewDelivery, str]], *, now: datetime
) -> None:
    """Store deliveries that could not be processed, each with its reason; known ones stay."""
    rows = [
        {
            **as_row(delivery),
            "body_hash": delivery.body_hash,
            "id": new_id(),
            "status": DeliveryStatus.failed,
            "reason": reason,
            "processed_at": now,
        }
        for delivery, reason in deliveries
    ]
    if rows:
        await session.execute(insert(Delivery).on_conflict_do_nothing(), rows)


async def replay(session: AsyncSession, brand_id: int, delivery_id: UUID, *, actor: Actor) -> None:
    """Process a failed or ignored delivery once more, at its old place in the order of arrival.

    What was fetched for it is fetched anew: by now the platform may have something else.

    Raises `NotFound` where the brand has no such delivery, and `AppError` `not_replayable` for one
    that was processed, still waits, or has no content any more.
    """
    replayed = await session.execute(
        update(Delivery)
        .where(
            Delivery.brand_id == brand_id,
            Delivery.id == delivery_id,
            Delivery.status.in_((DeliveryStatus.failed, DeliveryStatus.ignored)),
            Delivery.body != b"",
        )
        .values(status=DeliveryStatus.new, reason=None, processed_at=None)
        .returning(Delivery.id)
    )
    if replayed.first() is not None:
        of_delivery = DeliveryFetch.brand_id == brand_id, DeliveryFetch.delivery_id == delivery_id
        await session.execute(delete(DeliveryFetch).where(*of_delivery))
        await record_action(session, actor, AuditAction.delivery_replayed, ("dlv", delivery_id))
        await due.wake(session, SWEEP_NAME)
        return
    status = await session.scalar(
        select(Delivery.status).where(Delivery.brand_id == brand_id, Delivery.id == delivery_id)
    )
    if status is None:
        raise NotFound
    if status in (DeliveryStatus.failed, DeliveryStatus.ignored):
        raise AppError("not_replayable", "The content of this delivery was deleted.", status=409)
    raise AppError(
        "not_replayable",
        f"This delivery is {status}; only a failed or ignored one can be replayed.",
        status=409,
    )
