"""Find brands with messages to send, and mark sends as unknown whose process ended."""

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
_HAS_DUE = ", ".join(
    f"""EXISTS (SELECT FROM messages WHERE brand_id = brands.id AND priority = '{each.value}' AND {DUE})
        OR EXISTS (SELECT FROM messages WHERE brand_id = brands.id AND priority = '{each.value}'
                   AND {DUE_AGAIN}) AS {each.value}"""
    for each in Priority
)
_BRANDS = text(f"""
    SELECT id, {_HAS_DUE}, EXISTS (SELECT FROM messages WHERE brand_id = brands.id AND {_STUCK}) AS stuck
    FROM brands WHERE
        EXISTS (SELECT FROM messages WHERE brand_id = brands.id
                AND priority = ANY(CAST(:priorities AS text[])) AND {DUE})
        OR EXISTS (SELECT FROM messages WHERE brand_id = brands.id
                   AND priority = ANY(CAST(:priorities AS text[])) AND (({DUE_AGAIN}) OR ({_STUCK})))
    ORDER BY id
""")
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
    return {
        row["id"]: FoundWork(tuple(each for each in priorities if row[each.value]), stuck=row["stuck"])
        for row in (await session.execute(_BRANDS, given)).mappings()
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
