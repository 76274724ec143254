"""The sweep `bulk_decisions`: goes on with decisions about many friends' orders."""

from collections.abc import Sequence
from datetime import datetime

from app.admin.bulk import SWEEP_NAME, advance_bulk
from app.admin.bulk_models import BulkDecision
from app.base.context import AppContext
from app.base.due import brands_of
from app.base.turns import Sweep
from app.brands.find import load_brand


def sweep(context: AppContext) -> Sweep:
    """Does one batch of one decision at a time, each in a transaction of its own."""

    async def brands(_now: datetime) -> Sequence[int]:
        return await brands_of(
            context.reading_sessions, BulkDecision.brand_id, BulkDecision.finished_at.is_(None)
        )

    async def work(brand_id: int, now: datetime) -> int:
        async with context.sessions.begin() as session:
            brand = await load_brand(session, brand_id)
            return await advance_bulk(session, context.tokens, brand, now=now)

    return Sweep(SWEEP_NAME, brands, work)
