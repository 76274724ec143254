"""The surveys sweep, brand by brand: due surveys, accepted ones, due reminders, expiry."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, exists, literal, select, union

from app.base.context import AppContext
from app.base.turns import Busy, Sweep
from app.brands.models import Shop
from app.surveys.claim import NOW
from app.surveys.confirm import confirm_sent, is_accepted
from app.surveys.expire import expire_due, is_over
from app.surveys.models import Survey
from app.surveys.remind import is_reminder_due, remind_due
from app.surveys.send import is_due, send_due


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind of work, done for a batch, and which surveys wait for it."""

    is_waiting: ColumnElement[bool]
    """At `NOW`."""
    run: Callable[..., Awaitable[int]]


_STEPS = (
    _Step(is_due, send_due),
    _Step(is_accepted, confirm_sent),
    _Step(is_reminder_due, remind_due),
    _Step(is_over(NOW), expire_due),
)


def _waiting() -> CompoundSelect[*tuple[Any, ...]]:
    """Brands and, in that order, the places of the steps that have something to do at `NOW`.

    A brand with surveys has a shop. Shops are distributed with the surveys where a database is, so
    each node looks for its own; and of a brand with many due surveys one is looked at.
    """
    of_shop = exists().where(Survey.brand_id == Shop.brand_id)
    return union(
        *(
            select(Shop.brand_id, literal(place).label("place")).where(of_shop.where(step.is_waiting))
            for place, step in enumerate(_STEPS)
        )
    ).order_by("place")


# Not prepared: a plan that is made once for every time reads the surveys whole. Its constants are
# bound, so PostgreSQL plans it anew for the time it is asked for.
_WAITING = _waiting()


def sweep(context: AppContext) -> Sweep:
    """A sweep that sends, confirms, reminds and expires, each step of a batch in a transaction.

    Of a brand that was just found to have something due only the steps that have are run.
    """
    found_due: dict[int, list[_Step]] = {}

    async def brands(now: datetime) -> Sequence[int]:
        found: dict[int, list[_Step]] = {}
        async with context.reading_sessions() as session:
            for brand_id, place in await session.execute(_WAITING, {"now": now}):
                found.setdefault(brand_id, []).append(_STEPS[place])
        found_due.update(found)
        return sorted(found)

    async def work(brand_id: int, now: datetime) -> int:
        moved = 0
        busy: Busy | None = None
        for step in found_due.pop(brand_id, _STEPS):
            await context.precedence.give_way()
            try:
                async with context.sessions.begin() as session:
                    moved += await step.run(session, context.tokens, brand_id, now=now)
            except Busy as error:
                busy = error
        if busy is not None and not moved:
            raise busy
        return moved

    return Sweep("surveys", brands, work)
