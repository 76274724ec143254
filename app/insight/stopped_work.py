"""Whether a brand's work goes on: what is due is processed and sent; read-only."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.insight.alarm_rules import STOPPED, AlarmKind, Finding

_WAITING = text("""
    SELECT least(
        (SELECT received_at FROM deliveries WHERE brand_id = :brand AND status = 'new'
            AND received_at <= :stopped ORDER BY sequence LIMIT 1),
        (SELECT min(due_at) FROM messages WHERE brand_id = :brand AND status = 'planned'
            AND due_at <= :stopped)
    )
""")
# The newest rows of each: what is worked on in its order changed these last.
_MOVED = text("""
    SELECT EXISTS (
        SELECT FROM (
            SELECT processed_at FROM deliveries WHERE brand_id = :brand AND status = 'processed'
            ORDER BY id DESC LIMIT 100
        ) AS latest WHERE processed_at > :stopped
    ) OR EXISTS (
        SELECT FROM (
            SELECT started_at FROM attempts WHERE brand_id = :brand ORDER BY id DESC LIMIT 1
        ) AS latest WHERE started_at > :stopped
    )
""")


async def find_stopped_work(session: AsyncSession, brand_id: int, *, now: datetime) -> Sequence[Finding]:
    """One finding where something has waited for `STOPPED` and nothing was processed or sent since.

    Deliveries and messages; surveys that are late have an alarm of their own. While a provider
    fails its account is tried again and again, which is no stop. One query where nothing waits.
    """
    values = {"brand": brand_id, "stopped": now - STOPPED}
    since = (await session.execute(_WAITING, values)).scalar_one()
    if since is None or (await session.execute(_MOVED, values)).scalar_one():
        return []
    return [Finding(AlarmKind.work_stopped, since=since)]
