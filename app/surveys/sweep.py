"""The surveys sweep, brand by brand: due surveys, accepted ones, due reminders, expiry."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, or_, select

from app.base.context import AppContext
from app.base.turns import Busy, Sweep
from app.brands.find import load_brand
from app.brands.models import Brand
from app.surveys.confirm import confirm_sent, is_accepted
from app.surveys.expire import expire_due, is_over
from app.surveys.models import Survey
from app.surveys.remind import is_reminder_due, remind_due
from app.surveys.send import is_due, send_due


def sweep(context: AppContext) -> Sweep:
    """A sweep that sends, confirms, reminds and expires, each step of a batch in a transaction."""

    async def brands(now: datetime) -> Sequence[int]:
        async with context.sessions() as session:
            waiting = exists().where(Survey.brand_id == Brand.id)
            conditions = (is_due(now), is_accepted(now), is_reminder_due(now), is_over(now))
            found = await session.scalars(
                select(Brand.id).where(or_(*(waiting.where(each) for each in conditions))).order_by(Brand.id)
            )
            return found.all()

    async def work(brand_id: int, now: datetime) -> int:
        moved = 0
        busy: Busy | None = None
        for step in (send_due, confirm_sent, remind_due, expire_due):
            try:
                async with context.sessions.begin() as session:
                    moved += await step(session, context.tokens, await load_brand(session, brand_id), now=now)
            except Busy as error:
                busy = error
        if busy is not None and not moved:
            raise busy
        return moved

    return Sweep("surveys", brands, work)
