"""Whether surveys go out while orders come; read-only."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.i18n import SOURCE, translate
from app.base.ids import id_at
from app.brands.find import load_programme
from app.insight.alarm_rules import FEWEST_SKIPPED, OVERDUE, UNSENT, AlarmKind, Finding
from app.insight.words import SKIPS

_EARLIER = timedelta(days=4)
"""A message may be made this long before it is sent; ids narrow the search by when it was made."""
_SENT = text("""
    SELECT EXISTS (
        SELECT FROM messages
        WHERE brand_id = :brand AND template = 'survey' AND NOT trial AND id >= :first
            AND sent_at >= :since
    )
""")
_LATE = text("""
    SELECT count(*) AS number, min(late.since) AS since FROM (
        SELECT due_at AS since FROM surveys
        WHERE brand_id = :brand AND status = 'planned' AND NOT trial AND due_at <= :overdue
        UNION ALL
        SELECT queued_at FROM surveys
        WHERE brand_id = :brand AND status = 'queued' AND NOT trial AND sent_at IS NULL
            AND queued_at <= :unsent
    ) AS late
""")
# Skips that somebody can do something about. Others are decisions of the programme or of people,
# or come with orders that were read long after they were placed.
_SKIPPED = text("""
    SELECT reason, count(*) AS number FROM surveys
    WHERE brand_id = :brand AND status = 'skipped' AND id >= :first AND created_at >= :since
        AND NOT trial AND reason IN ('no_consent', 'no_address')
    GROUP BY reason ORDER BY count(*) DESC, reason
""")
_PLANNED = text("""
    SELECT EXISTS (
        SELECT FROM surveys
        WHERE brand_id = :brand AND status = 'planned' AND NOT trial AND (due_at IS NULL OR due_at > :now)
    )
""")


async def find_unsent_surveys(
    session: AsyncSession, brand_id: int, *, hours: int, now: datetime
) -> Sequence[Finding]:
    """One finding where no survey was handed over for `hours` though some should have been.

    That is: surveys are late; or those of all recent orders were skipped for a reason that somebody
    can do something about, and none is planned. Nothing while surveys are switched off. One query
    where surveys go out.
    """
    since = now - timedelta(hours=hours)
    values = {"brand": brand_id, "since": since, "first": id_at(since - _EARLIER), "now": now}
    if (await session.execute(_SENT, values)).scalar_one():
        return []
    programme = (await load_programme(session, brand_id)).programme
    if not programme.surveys_enabled or not programme.runs_at(now):
        return []
    late = (await session.execute(_LATE, {**values, "overdue": now - OVERDUE, "unsent": now - UNSENT})).one()
    if late.number:
        return [Finding(AlarmKind.no_surveys, count=late.number, since=late.since, name=str(hours))]
    skipped = (await session.execute(_SKIPPED, values)).all()
    count = sum(row.number for row in skipped)
    if count < FEWEST_SKIPPED or (await session.execute(_PLANNED, values)).scalar_one():
        return []
    reason = translate(SOURCE, SKIPS[skipped[0].reason])
    return [Finding(AlarmKind.no_surveys, count=count, since=since, name=str(hours), detail=reason)]
