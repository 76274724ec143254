"""Process deliveries together, so that one that cannot be processed fails or waits alone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.log import logger
from app.base.retry import LOCK_NOT_AVAILABLE, sqlstate_of
from app.ingest.failures import failed, is_transient
from app.ingest.rules import DeliveryStatus, ParsedEvent, ProcessingResult

log = logger(__name__)

ProcessEvents = Callable[[Sequence[ParsedEvent]], Awaitable[None]]
Deliveries = Sequence[Sequence[ParsedEvent]]
"""Lists of their events, none empty."""
SHORT_TIMEOUT_MILLISECONDS = 100
"""How long a lock is waited for once one was not to be had: the deliveries that need it are found
by a dozen attempts, and the others must not wait for all of these."""
_PROCESSED = ProcessingResult(DeliveryStatus.processed)
MOST_TIMEOUTS = 20
"""After so many the rest of the batch waits too: they all need what is locked."""


@dataclass(slots=True)
class _Isolation:
    """One batch that is divided as far as it takes."""

    session: AsyncSession
    process: ProcessEvents
    locked: Exception | None = None
    """The first time-out of a lock."""
    timeouts: int = 0
    lock_timeout: str | None = None
    """The time-out that was in force before."""

    async def results_of(self, deliveries: Deliveries) -> dict[UUID, ProcessingResult]:
        """The result of each delivery that was processed or is faulty; none of one that waits."""
        if not deliveries or self.timeouts >= MOST_TIMEOUTS:
            return {}
        try:
            async with self.session.begin_nested():
                await self.process([event for delivery in deliveries for event in delivery])
        except Exception as error:
            if sqlstate_of(error) == LOCK_NOT_AVAILABLE:
                await self._wait_less(error)
                if len(deliveries) == 1:
                    return {}
            elif is_transient(error):
                raise
            elif len(deliveries) == 1:
                delivery_id = deliveries[0][0].delivery_id
                return {delivery_id: failed(delivery_id, error)}
            half = len(deliveries) // 2
            first = await self.results_of(deliveries[:half])
            return first | await self.results_of(deliveries[half:])
        return dict.fromkeys((delivery[0].delivery_id for delivery in deliveries), _PROCESSED)

    async def _wait_less(self, error: Exception) -> None:
        self.timeouts += 1
        if self.locked is None:
            self.locked = error
            self.lock_timeout = await self.session.scalar(select(func.current_setting("lock_timeout")))
            await _set_lock_timeout(self.session, f"{SHORT_TIMEOUT_MILLISECONDS}ms")


async def process_isolated(
    session: AsyncSession, deliveries: Deliveries, process: ProcessEvents
) -> dict[UUID, ProcessingResult]:
    """Process the deliveries under one savepoint; returns the result of each.

    Where that fails, each half is processed by itself, until the faulty delivery is alone. One that
    needs a row which another transaction has locked is passed by: it has no result, and is
    processed with a later batch, behind those that did not have to wait. Raises a failure that does
    not depend on a delivery, and the time-out of the lock where every delivery waits for one.
    """
    isolation = _Isolation(session, process)
    results = await isolation.results_of(deliveries)
    if isolation.locked is not None:
        if not results:
            raise isolation.locked
        log.warning("deliveries wait for locked rows", count=len(deliveries) - len(results))
        await _set_lock_timeout(session, isolation.lock_timeout)
    return results


async def _set_lock_timeout(session: AsyncSession, value: str | None) -> None:
    """Until the end of the transaction."""
    await session.execute(text("SELECT set_config('lock_timeout', :value, true)"), {"value": value})
