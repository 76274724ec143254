"""Find brands with messages to send, and mark sends as unknown whose process ended."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.brands.programme import Channel
from app.messaging.rules import MOST_UNKNOWNS, Priority

MOST_IN_FLIGHT_SECONDS = 60
"""How long a provider call may be under way; where the grace is shorter, so is this."""
IN_TIME = "(at_once OR due_at <= :now)"
OPEN_TO = "channel = ANY(CAST(:channels AS text[]))"
"""The provider of the channel works, or is to be tested."""
DUE = f"status = 'planned' AND {IN_TIME} AND {OPEN_TO}"
DUE_AGAIN = f"status = 'unknown' AND reason IS NULL AND claimed_at <= :grace AND {IN_TIME} AND {OPEN_TO}"
"""Sends of unknown outcome that are sent once more: not cancelled, and the grace is over."""
_STUCK = "status = 'sending' AND claimed_at <= :grace"
# A brand with messages has a shop. Shops are distributed with the messages where a database is, so
# each node looks for its own; and of a brand with many due messages one is looked at.
_BRANDS = text(
    " UNION ".join(
        f"""
        SELECT shops.brand_id, '{each.value}' AS work FROM shops
        WHERE '{each.value}' = ANY(CAST(:priorities AS text[])) AND (
            EXISTS (SELECT FROM messages WHERE brand_id = shops.brand_id AND priority = '{each.value}' AND {DUE})
            OR EXISTS (SELECT FROM messages WHERE brand_id = shops.brand_id AND priority = '{each.value}'
                       AND {DUE_AGAIN}))
        """
        for each in Priority
    )
    + f"""
    UNION SELECT shops.brand_id, 'stuck' FROM shops
    WHERE EXISTS (SELECT FROM messages WHERE brand_id = shops.brand_id
                  AND priority = ANY(CAST(:priorities AS text[])) AND {_STUCK})
    """
)
# The attempt's own row is timed by the database. So a run at a simulated time cannot mistake a call
# that is under way for a crash.
_GIVE_UP = text(f"""
    WITH stuck AS (
        SELECT messages.id, attempts.id AS attempt_id FROM messages
        JOIN attempts ON attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
                     AND attempts.number = messages.attempts
        WHERE messages.brand_id = :brand_id AND messages.status = 'sending' AND messages.claimed_at <= :grace
          AND attempts.created_at <= clock_timestamp() - make_interval(secs => :in_flight)
          AND attempts.id <> ALL(CAST(:under_way AS uuid[]))
        ORDER BY messages.id LIMIT :most FOR UPDATE OF messages SKIP LOCKED
    ), given_up AS (
        UPDATE attempts SET status = 'unknown', error = 'the sender stopped', finished_at = :now
        FROM stuck
        WHERE attempts.brand_id = :brand_id AND attempts.id = stuck.attempt_id AND attempts.status = 'sending'
    )
    UPDATE messages SET unknowns = unknowns + 1,
        status = CASE WHEN unknowns + 1 >= {MOST_UNKNOWNS} AND reason IS NULL THEN 'review' ELSE 'unknown' END
    FROM stuck WHERE messages.brand_id = :brand_id AND messages.id = stuck.id
""")


@dataclass(frozen=True, slots=True)
class Grace:
    """When a send of unknown outcome, or one that made no progress, may be taken up again."""

    grace_seconds: int

    def until(self, now: datetime) -> datetime:
        """Claims up to this time have waited long enough."""
        return now - timedelta(seconds=self.grace_seconds)

    @property
    def in_flight_seconds(self) -> int:
        """Younger attempts by the database's clock may still be under way in some process."""
        return min(self.grace_seconds, MOST_IN_FLIGHT_SECONDS)


@dataclass(frozen=True, slots=True)
class FoundWork:
    """What a brand was found to have: messages due of some priorities, and stopped sends."""

    due: tuple[Priority, ...]
    stuck: bool


async def brands_with_work(
    session: AsyncSession,
    priorities: Collection[Priority],
    channels: Collection[Channel],
    grace: Grace,
    *,
    now: datetime,
) -> dict[int, FoundWork]:
    """Brands with messages due on these channels or with stopped sends, in ascending order."""
    given = {
        "priorities": [priority.value for priority in priorities],
        "channels": [channel.value for channel in channels],
        "now": now,
        "grace": grace.until(now),
    }
    work: dict[int, set[str]] = defaultdict(set)
    for brand_id, what in await session.execute(_BRANDS, given):
        work[brand_id].add(what)
    return {
        brand_id: FoundWork(
            tuple(each for each in priorities if each.value in work[brand_id]), "stuck" in work[brand_id]
        )
        for brand_id in sorted(work)
    }


async def give_up_stuck(
    session: AsyncSession,
    brand_id: int,
    under_way: Collection[UUID],
    grace: Grace,
    *,
    now: datetime,
    most: int,
) -> int:
    """Mark up to `most` sends as unknown whose process ended; returns how many.

    `under_way` are the attempts of this process. After the second unknown outcome a person decides,
    unless the message was cancelled meanwhile.
    """
    given = {
        "brand_id": brand_id,
        "under_way": list(under_way),
        "in_flight": grace.in_flight_seconds,
        "grace": grace.until(now),
        "now": now,
        "most": most,
    }
    done = await session.execute(_GIVE_UP, given)
    return int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE returns a cursor
