"""The surveys sweep, brand by brand: due surveys, accepted ones, due reminders, expiry."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select

from app.base.context import AppContext
from app.base.turns import Busy, Sweep
from app.brands.find import load_brand
from app.brands.models import Brand
from app.surveys.confirm import confirm_sent, is_accepted
from app.surveys.expire import expire_due, is_over
from app.surveys.models import Survey
from app.surveys.remind import is_reminder_due, remind_due
from app.surveys.send import is_due, send_due


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind of work, done for a batch, and which surveys wait for it at a time."""

    is_waiting: Callable[[datetime], ColumnElement[bool]]
    run: Callable[..., Awaitable[int]]


_STEPS = (
    _Step(is_due, send_due),
    _Step(is_accepted, confirm_sent),
    _Step(is_reminder_due, remind_due),
    _Step(is_over, expire_due),
)


def sweep(context: AppContext) -> Sweep:
    """A sweep that sends, confirms, reminds and expires, each step of a batch in a transaction.

    Of a brand that was just found to have something due only the steps that have are run.
    """
    found_due: dict[int, list[_Step]] = {}

    async def brands(now: datetime) -> Sequence[int]:
        of_brand = exists().where(Survey.brand_id == Brand.id)
        waiting = [of_brand.where(step.is_waiting(now)) for step in _STEPS]
        async with context.sessions() as session:
            flags = [each.label(f"step_{place}") for place, each in enumerate(waiting)]
            rows = await session.execute(select(Brand.id, *flags).where(or_(*waiting)).order_by(Brand.id))
            found = {
                row[0]: [step for step, is_waiting in zip(_STEPS, row[1:], strict=True) if is_waiting]
                for row in rows
            }
        found_due.update(found)
        return list(found)

    async def work(brand_id: int, now: datetime) -> int:
        moved = 0
        busy: Busy | None = None
        for step in found_due.pop(brand_id, _STEPS):
            await context.precedence.give_way()
            try:
                async with context.sessions.begin() as session:
                    brand = await load_brand(session, brand_id)
                    moved += await step.run(session, context.tokens, brand, now=now)
            except Busy as error:
                busy = error
        if busy is not None and not moved:
            raise busy
        return moved

    return Sweep("surveys", brands, work)
