"""The sweep that writes suppressions and erasures into the journal, seconds after their commit."""

from collections.abc import Sequence
from datetime import datetime

from app.base.context import AppContext
from app.base.fence import mark, may_send, reserve
from app.base.turns import Sweep
from app.customers.journal import (
    ERASED,
    SUPPRESSED,
    brands_to_journal,
    take_erasures,
    take_suppressions,
)


def sweep(context: AppContext) -> Sweep:
    """Write what the journal does not have yet; and a mark now and then."""

    async def brands(_now: datetime) -> Sequence[int]:
        if not await may_send(context.sessions, context.journal):
            return []
        await mark(context.sessions, context.journal)
        async with context.reading_sessions() as session:
            return await brands_to_journal(session)

    async def work(brand_id: int, _now: datetime) -> int:
        async with context.sessions.begin() as session:
            reserved = await reserve(session, context.journal)
        # A crash after the write and before the commit writes the rows once more.
        async with context.sessions.begin() as session:
            suppressions = await take_suppressions(session, brand_id)
            if suppressions:
                await reserved.write(SUPPRESSED, brand_id, suppressions)
            erasures = await take_erasures(session, brand_id)
            if erasures:
                await reserved.write(ERASED, brand_id, erasures)
        return len(suppressions) + len(erasures)

    return Sweep("journal", brands, work, every_seconds=1)
