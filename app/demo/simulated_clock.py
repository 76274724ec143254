"""Simulated time: the sweeps run at it, and web requests too where the clock is shared."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select

from app.base import due
from app.base.context import AppContext
from app.base.turns import Sweep
from app.demo.shared_clock import SharedClock
from app.messaging.models import Message
from app.messaging.rules import MessageStatus
from app.referrals.models import Redemption
from app.referrals.rules import RedemptionStatus
from app.surveys.models import Survey
from app.surveys.rules import OPEN, SurveyStatus


class SimulatedClock:
    """A clock for the sweeps, moved explicitly and never back.

    With `shared`, everything else in this process moves along: between two moves its time passes
    as on the wall, so that what follows an answer is dated after it.

    A worker may run on the same clock and serve wake-ups as in production: this is how the demo
    sends offers, and how their delay is measured. Each sweep runs one call at a time, so when `to`
    returns, nothing that it started is still running.
    """

    def __init__(
        self,
        context: AppContext,
        sweeps: Sequence[Sweep],
        now: datetime,
        *,
        shared: SharedClock | None = None,
    ) -> None:
        self._context = context
        self._shared = shared
        self._sweeps = [self._on_this_clock(sweep) for sweep in sweeps]
        self.now = now

    async def move(self, moment: datetime) -> None:
        """Move to a time and do nothing yet."""
        if moment > self.now:
            self.now = moment
            if self._shared is not None:
                await self._shared.set(moment)

    async def to(self, moment: datetime) -> None:
        """Move to a time and do everything that is due by then."""
        await self.move(moment)
        await due.run_until_idle(self._sweeps, self.now)

    async def next_due(self) -> datetime | None:
        """The earliest time at which unfinished work is due; None where none is."""
        # One statement a table: joined, they would name no brand that all of them have in common.
        earliest = (
            select(func.min(Survey.due_at)).where(Survey.status == SurveyStatus.planned),
            select(func.min(Survey.reminder_due_at)).where(Survey.status == SurveyStatus.sent),
            select(func.min(Survey.expires_at)).where(Survey.status.in_(OPEN)),
            select(func.min(Message.due_at)).where(Message.status == MessageStatus.planned),
            select(func.min(Redemption.hold_until)).where(Redemption.status == RedemptionStatus.pending),
        )
        async with self._context.sessions() as session:
            times = [await session.scalar(each) for each in earliest]
        return min((time for time in times if time is not None), default=None)

    @asynccontextmanager
    async def worker(self, *names: str) -> AsyncIterator[None]:
        """Serve wake-ups of these sweeps at this clock's time while the block lasts.

        Where none is named, of all sweeps.
        """
        stop, ready = asyncio.Event(), asyncio.Event()
        sweeps = [sweep for sweep in self._sweeps if not names or sweep.name in names]
        working = asyncio.create_task(due.run_worker(self._context.database_url, sweeps, stop, ready=ready))
        first = asyncio.create_task(ready.wait())
        await asyncio.wait({working, first}, return_when=asyncio.FIRST_COMPLETED)
        first.cancel()
        try:
            yield
        finally:
            stop.set()
            await working

    async def settle(self) -> None:
        """Discard wake-ups that no worker took, and do everything that is due."""
        await due.discard_wake_ups(self._context.sessions)
        await self.to(self.now)

    def _on_this_clock(self, sweep: Sweep) -> Sweep:
        lock = asyncio.Lock()

        def at(now: datetime) -> datetime:
            # A worker reads the process's clock, which is this one where it is shared.
            return self.now if self._shared is None else now

        async def brands(now: datetime) -> Sequence[int]:
            async with lock:
                return await sweep.brands(at(now))

        async def work(brand_id: int, now: datetime) -> int:
            async with lock:
                return await sweep.work(brand_id, at(now))

        return replace(sweep, brands=brands, work=work)
