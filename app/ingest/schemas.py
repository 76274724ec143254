"""What the API shows of deliveries."""

from datetime import datetime
from typing import Any, Self

from sqlalchemy import Row

from app.base.ids import public_id
from app.base.schemas import RowModel
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus


class DeliveryRow(RowModel):
    """An inbound delivery, without its body."""

    created_at: datetime
    shop: str
    source: str
    topic: str
    external_id: str
    status: DeliveryStatus | str
    reason: str | None
    received_at: datetime
    processed_at: datetime | None

    @classmethod
    def from_row(cls, row: Row[Any], *, pii: bool) -> Self:  # noqa: ARG003  # nothing in it is personal
        """Build the model of a row of `Delivery` and `shop`, the shop's slug."""
        delivery: Delivery = row.Delivery
        return cls(
            id=public_id("dlv", delivery.id),
            created_at=delivery.created_at,
            shop=row.shop,
            source=delivery.source,
            topic=delivery.topic,
            external_id=delivery.external_id,
            status=delivery.status,
            reason=delivery.reason,
            received_at=delivery.received_at,
            processed_at=delivery.processed_at,
        )
