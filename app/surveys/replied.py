"""A response is answered once a provider has accepted the latest reply to it.

Mostly that is written where the acceptance is recorded. What remains is a response that another
transaction had locked at that moment, and a reply of which a provider's event has proved the
acceptance: a sweep looks for these among the few responses with a reply under way. A response whose
reply fails stays as it was, and is answered if that message is sent again.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.turns import Sweep

SWEEP_NAME = "replies"
EVERY_SECONDS = 30
_BATCH = 500
# `replying` is the condition of the partial index `ix_responses_replying`.
_ACCEPTED = """
    replying AND (SELECT messages.sent_at FROM messages
        WHERE messages.brand_id = responses.brand_id AND messages.template = 'reply'
            AND messages.subject_id = responses.id
        ORDER BY messages.step DESC LIMIT 1) IS NOT NULL
"""
_MARK = """
    WITH found AS (
        SELECT id FROM responses WHERE brand_id = :brand_id AND {which} AND {accepted}
        ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE responses SET state = 'answered', replying = false, version = version + 1
    FROM found WHERE responses.brand_id = :brand_id AND responses.id = found.id
    RETURNING responses.id
"""
_MARK_THESE = text(_MARK.format(which="id = ANY(CAST(:ids AS uuid[]))", accepted=_ACCEPTED))
_MARK_ALL = text(_MARK.format(which="true", accepted=_ACCEPTED))
# A brand with responses has a shop, and both are on one machine where the tables are distributed.
_BRANDS = text(f"""
    SELECT shops.brand_id FROM shops
    WHERE EXISTS (SELECT FROM responses WHERE responses.brand_id = shops.brand_id AND {_ACCEPTED})
    GROUP BY shops.brand_id ORDER BY shops.brand_id
""")


async def mark_answered(
    session: AsyncSession, brand_id: int, response_ids: Sequence[UUID], _now: datetime
) -> None:
    """Mark these responses as answered whose latest reply was accepted; locked ones are left out.

    It waits for no lock: the caller has locked messages, which others lock after their response.
    """
    given = {"brand_id": brand_id, "ids": list(response_ids), "most": len(response_ids)}
    await session.execute(_MARK_THESE, given)


def sweep(context: AppContext) -> Sweep:
    """The sweep that marks what nobody marked yet."""

    async def brands(_now: datetime) -> Sequence[int]:
        async with context.reading_sessions() as session:
            return (await session.scalars(_BRANDS)).all()

    async def work(brand_id: int, _now: datetime) -> int:
        async with context.sessions.begin() as session:
            marked = await session.scalars(_MARK_ALL, {"brand_id": brand_id, "most": _BATCH})
            return len(marked.all())

    return Sweep(SWEEP_NAME, brands, work, every_seconds=EVERY_SECONDS)
