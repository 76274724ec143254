"""The web process checks brands that no worker checks, so that a dead worker is an alarm too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from sqlalchemy import select

from app.admin.alarm_calls import make_due_calls
from app.admin.alarm_models import AlarmSettings
from app.admin.alarms import EVERY, check_brand
from app.base import clock
from app.base.context import AppContext
from app.base.fence import load_fence
from app.base.log import logger
from app.brands.models import Brand

log = logger(__name__)

LATE = timedelta(minutes=10)
"""A check that is due for longer was made by no worker."""
EVERY_SECONDS = 60.0
MOST_BRANDS = 100
"""Brands that a process checks in a row; the others follow with the next round."""


@asynccontextmanager
async def watching(context: AppContext) -> AsyncIterator[None]:
    """Check late brands each minute for the time of the block."""
    task = asyncio.create_task(_watch(context))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _watch(context: AppContext) -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await check_late_brands(context, now=clock.now())
        except Exception:
            log.exception("brands could not be checked for alarms; trying again")


async def check_late_brands(context: AppContext, *, now: datetime) -> int:
    """Check brands whose check is late, and call their webhooks; returns how many were checked.

    Mail waits for a worker, as all mail does. Several processes may do it at once: each brand is
    checked by one. Nothing in a fenced copy of the database.
    """
    async with context.sessions() as session:
        if await load_fence(session) is not None:
            return 0
        # Two queries: the first reads a table that is on every machine.
        brands = (await session.execute(select(Brand.id, Brand.created_at))).all()
        rows = await session.execute(select(AlarmSettings.brand_id, AlarmSettings.check_due_at))
        planned = {row.brand_id: row.check_due_at for row in rows}
    due = [(planned.get(row.id, row.created_at + EVERY), row.id) for row in brands]
    late = [brand_id for at, brand_id in sorted(due) if at <= now - LATE][:MOST_BRANDS]
    for brand_id in late:
        try:
            async with context.sessions.begin() as session:
                await check_brand(session, brand_id, now=now)
            await make_due_calls(context, brand_id, now=now)
        except Exception:
            # It would otherwise come first in each round, and the others never.
            log.exception("a brand could not be checked for alarms", brand=brand_id)
    return len(late)
