"""The sweeps that check brands for alarms, and that call their webhooks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from app.admin.alarm_calls import SWEEP_NAME, make_due_calls
from app.admin.alarm_models import AlarmCall, AlarmSettings
from app.admin.alarms import check_brand
from app.base import clock
from app.base.context import AppContext
from app.base.fence import brands_unless_fenced, load_fence
from app.base.turns import Sweep
from app.brands.models import Brand

MOST_BRANDS = 2_000
"""Brands of one minute, those that wait longest: so the first checks of many brands are spread."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_PRESENT = timedelta(hours=1)
"""Alarms are about the present: a run as if it were another time raises none."""


def sweep(context: AppContext) -> Sweep:
    """Check each brand every quarter of an hour; nothing in a fenced copy of the database."""

    async def brands(now: datetime) -> Sequence[int]:
        if abs(now - clock.now()) > _PRESENT:
            return []
        async with context.reading_sessions() as session:
            if await load_fence(session) is not None:
                return []
            # Two queries: the first reads a table that is on every machine.
            known = (await session.scalars(select(Brand.id).order_by(Brand.id))).all()
            rows = await session.execute(select(AlarmSettings.brand_id, AlarmSettings.check_due_at))
            planned = {row.brand_id: row.check_due_at for row in rows}
        due = [brand_id for brand_id in known if planned.get(brand_id, now) <= now]
        return sorted(due, key=lambda brand_id: planned.get(brand_id, _NEVER))[:MOST_BRANDS]

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            return await check_brand(session, brand_id, now=now)

    return Sweep("alarms", brands, work, every_seconds=60)


def calls_sweep(context: AppContext) -> Sweep:
    """Call webhooks about alarms; nothing in a fenced copy of the database."""

    async def brands(now: datetime) -> Sequence[int]:
        is_due = AlarmCall.due_at <= now
        return await brands_unless_fenced(context.reading_sessions, AlarmCall.brand_id, is_due)

    async def work(brand_id: int, now: datetime) -> int:
        return await make_due_calls(context, brand_id, now=now)

    return Sweep(SWEEP_NAME, brands, work, every_seconds=30)
