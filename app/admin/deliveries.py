"""One delivery with what it holds."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.admin.rows import DELIVERIES
from app.base.actor import Actor
from app.base.errors import NotFound
from app.ingest.models import Delivery, DeliveryFetch
from app.ingest.schemas import DeliveryDetail
from app.insight.person_rows import content_of


async def delivery_detail(session: AsyncSession, caller: Actor, delivery_id: UUID) -> DeliveryDetail:
    """A delivery of the caller's brand, whole. Raises NotFound."""
    query = (
        DELIVERIES.visible(caller)
        .add_columns(DeliveryFetch.body.label("fetched"))
        .outerjoin(
            DeliveryFetch,
            (DeliveryFetch.brand_id == Delivery.brand_id) & (DeliveryFetch.delivery_id == Delivery.id),
        )
        .where(Delivery.id == delivery_id)
    )
    row = (await session.execute(query)).first()
    if row is None:
        raise NotFound
    shown = DELIVERIES.shape(row, pii=caller.sees_people)
    delivery: Delivery = row.Delivery
    return DeliveryDetail(
        **shown.__dict__, content=content_of(delivery.body), fetched=content_of(row.fetched)
    )
