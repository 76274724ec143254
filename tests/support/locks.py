"""Waits for what transactions do side by side."""

import asyncio

from sqlalchemy import text

from app.base.context import AppContext


async def somebody_waits(context: AppContext) -> None:
    """Return once a transaction of this database waits for another one's lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10), context.sessions() as session:
        while not await session.scalar(waiting):
            await session.rollback()
            await asyncio.sleep(0.02)
