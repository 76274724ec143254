"""Process deliveries together, so that one that cannot be processed fails alone."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.ingest.failures import failed, is_transient
from app.ingest.rules import DeliveryStatus, ParsedEvent, ProcessingResult

ProcessEvents = Callable[[Sequence[ParsedEvent]], Awaitable[None]]


async def process_isolated(
    session: AsyncSession, deliveries: Sequence[Sequence[ParsedEvent]], process: ProcessEvents
) -> dict[UUID, ProcessingResult]:
    """Process the deliveries (lists of their events, none empty) under one savepoint.

    Where that fails, each half is processed by itself, until the faulty delivery is alone. Raises a
    failure that does not depend on a delivery.
    """
    if not deliveries:
        return {}
    try:
        async with session.begin_nested():
            await process([event for delivery in deliveries for event in delivery])
    except Exception as error:
        if is_transient(error):
            raise
        if len(deliveries) == 1:
            delivery_id = deliveries[0][0].delivery_id
            return {delivery_id: failed(delivery_id, error)}
        half = len(deliveries) // 2
        first = await process_isolated(session, deliveries[:half], process)
        return first | await process_isolated(session, deliveries[half:], process)
    return {delivery[0].delivery_id: ProcessingResult(DeliveryStatus.processed) for delivery in deliveries}
