"""The surveys sweep, brand by brand: due surveys, accepted ones, due reminders, expiry."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, exists, literal, select, union

from app.base import clock
from app.base.context import AppContext
from app.base.turns import Busy, Sweep
from app.brands.models import Shop
from app.surveys.claim import BATCH, NOW
from app.surveys.confirm import confirm_sent, is_accepted
from app.surveys.expire import expire_due, is_over
from app.surveys.models import Survey
from app.surveys.remind import is_reminder_due, remind_due
from app.surveys.schedule import SWEEP_NAME
from app.surveys.send import is_due, send_due

CONFIRM_SECONDS = 10.0
"""How often surveys are looked for whose acceptance was not noted at once: that reads every queued
one, and there is rarely any."""
TURN_SECONDS = 1.0
"""After that a brand begins no more batches, so that the next one has its turn."""
SIDE_BY_SIDE = 2
"""Batches of a brand with many due surveys."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind of work, done for a batch, and which surveys wait for it."""

    is_waiting: ColumnElement[bool]
    """At `NOW`."""
    run: Callable[..., Awaitable[int]]


_CONFIRM = _Step(is_accepted, confirm_sent)
_STEPS = (
    _Step(is_due, send_due),
    _CONFIRM,
    _Step(is_reminder_due, remind_due),
    _Step(is_over(NOW), expire_due),
)


def _waiting(steps: Sequence[_Step]) -> CompoundSelect[*tuple[Any, ...]]:
    """Brands and, in that order, the places of those steps that have something to do at `NOW`.

    A brand with surveys has a shop. Shops are distributed with the surveys where a database is, so
    each node looks for its own; and of a brand with many due surveys one is looked at.
    """
    of_shop = exists().where(Survey.brand_id == Shop.brand_id)
    return union(
        *(
            select(Shop.brand_id, literal(_STEPS.index(step)).label("place")).where(
                of_shop.where(step.is_waiting)
            )
            for step in steps
        )
    ).order_by("place")


# Not prepared: a plan that is made once for every time reads the surveys whole. Its constants are
# bound, so PostgreSQL plans it anew for the time it is asked for.
_WAITING = _waiting([step for step in _STEPS if step is not _CONFIRM])
_WAITING_OR_ACCEPTED = _waiting(_STEPS)


def sweep(context: AppContext) -> Sweep:
    """A sweep that sends, confirms, reminds and expires, each step of a batch in a transaction.

    Of a brand that was just found to have something due only the steps that have are run.
    """
    surveys = _Surveys(context)
    return Sweep(SWEEP_NAME, surveys.brands, surveys.work)


@dataclass
class _Surveys:
    context: AppContext
    found: dict[int, list[_Step]] = field(default_factory=dict)
    """What the brands have that were just searched."""
    asks_accepted_at: float = -math.inf
    """When it is next asked for accepted surveys, by the monotonic clock."""

    async def brands(self, now: datetime) -> Sequence[int]:
        """The brands that have something to do at `now`."""
        statement, at = _WAITING, clock.monotonic()
        if at >= self.asks_accepted_at:
            statement, self.asks_accepted_at = _WAITING_OR_ACCEPTED, at + CONFIRM_SECONDS
        found: dict[int, list[_Step]] = {}
        async with self.context.reading_sessions() as session:
            for brand_id, place in await session.execute(statement, {"now": now}):
                found.setdefault(brand_id, []).append(_STEPS[place])
        self.found.update(found)
        return sorted(found)

    async def work(self, brand_id: int, now: datetime) -> int:
        """Do the steps of a brand; returns how many surveys they moved."""
        moved = 0
        busy: Busy | None = None
        for step in self.found.pop(brand_id, _STEPS):
            try:
                moved += await self._run(step, brand_id, now)
            except Busy as error:
                busy = error
        if busy is not None and not moved:
            raise busy
        return moved

    async def _run(self, step: _Step, brand_id: int, now: datetime) -> int:
        """Batches of a step, until one is not full or the turn is over.

        After a full one two are made side by side: one waits for the database while the other
        computes.
        """
        ends_at = clock.monotonic() + TURN_SECONDS
        moved = await self._batch(step, brand_id, now)
        if moved < BATCH:
            return moved

        async def further() -> int:
            more = 0
            while clock.monotonic() < ends_at:
                count = await self._batch(step, brand_id, now)
                more += count
                if count < BATCH:
                    break
            return more

        for done in await asyncio.gather(*(further() for _ in range(SIDE_BY_SIDE)), return_exceptions=True):
            if isinstance(done, int):
                moved += done
            elif not isinstance(done, Busy):
                raise done
        return moved

    async def _batch(self, step: _Step, brand_id: int, now: datetime) -> int:
        await self.context.precedence.give_way()
        async with self.context.sessions.begin() as session:
            return await step.run(session, self.context.tokens, brand_id, now=now)
