"""Requests of people for their data: stored for staff, who fetch the export and mark them done."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.actor import Actor
from app.base.audit import AuditAction, record_action
from app.base.errors import NotFound
from app.base.ids import new_id
from app.brands.models import Shop
from app.ingest.identities import find_named_customers, identities_of, person_of
from app.ingest.links import link_customers
from app.ingest.models import DataRequest, DeliveryCustomer
from app.ingest.rules import CustomerLink, ParsedEvent
from app.platforms.events import DataRequested


async def record_data_requests(
    session: AsyncSession, brand_id: int, shops: Mapping[UUID, Shop], events: Sequence[ParsedEvent]
) -> None:
    """Store the requests among these events, each once, and link them to the people who asked."""
    asked = [(each, each.event) for each in events if isinstance(each.event, DataRequested)]
    if not asked:
        return
    named = {
        each: identities_of(person, shops[each.shop_id])
        for each, event in asked
        if (person := person_of(event)) is not None
    }
    found = await find_named_customers(session, brand_id, named)
    await link_customers(
        session,
        brand_id,
        [CustomerLink(each.delivery_id, one) for each, ids in found.items() for one in sorted(ids)],
    )
    rows = [
        {
            "brand_id": brand_id,
            "id": new_id(),
            "shop_id": each.shop_id,
            "external_id": event.request_id,
            "delivery_id": each.delivery_id,
            "requested_at": event.at,
        }
        for each, event in asked
    ]
    await session.execute(insert(DataRequest).on_conflict_do_nothing(), rows)


async def find_request_customers(session: AsyncSession, brand_id: int, request_id: UUID) -> list[UUID]:
    """The customers who made a request; empty for somebody whom the brand does not know.

    Raises `NotFound` where the brand has no such request.
    """
    delivery_id = await session.scalar(
        select(DataRequest.delivery_id).where(DataRequest.brand_id == brand_id, DataRequest.id == request_id)
    )
    if delivery_id is None:
        raise NotFound
    rows = await session.scalars(
        select(DeliveryCustomer.customer_id).where(
            DeliveryCustomer.brand_id == brand_id, DeliveryCustomer.delivery_id == delivery_id
        )
    )
    return sorted(rows)


async def finish_request(
    session: AsyncSession, brand_id: int, request_id: UUID, *, actor: Actor, now: datetime
) -> None:
    """Note that the person has their data; a second call changes nothing. Raises `NotFound`."""
    done = await session.execute(
        update(DataRequest)
        .where(DataRequest.brand_id == brand_id, DataRequest.id == request_id)
        .values(done_at=func.coalesce(DataRequest.done_at, now))
        .returning(DataRequest.id)
    )
    if done.first() is None:
        raise NotFound
    await record_action(session, actor, AuditAction.data_request_done, ("drq", request_id))
