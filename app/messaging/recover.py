"""Write journaled sends into a restored database, so that nothing goes out again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import as_row, in_ids
from app.base.touched import touch
from app.messaging.journal import JournaledSend
from app.messaging.models import Attempt
from app.messaging.rules import AttemptStatus, MessageStatus

_GIVEN = """
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given (
        attempt_id uuid, number smallint, provider text, at timestamptz, message_id uuid, customer_id uuid,
        shop_id uuid, template text, subject_id uuid, step smallint, channel text, priority text,
        locale text, attempt_status text, status text)
"""
# A message that the copy does not have was queued after it was made; its customer may be older.
_MESSAGES = text(f"""
    WITH given AS ({_GIVEN})
    INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
                          status, locale, template_params, at_once, due_at,
                          attempts, unknowns, refusals, possible_duplicate, trial)
    SELECT DISTINCT ON (given.message_id) :brand_id, given.message_id, given.customer_id, given.shop_id,
           given.template, given.subject_id, given.step, given.channel, given.priority, 'planned',
           given.locale, '{{}}'::jsonb, false, given.at, 0, 0, 0, false, false
    FROM given
    LEFT JOIN customers ON customers.brand_id = :brand_id AND customers.id = given.customer_id
    JOIN shops ON shops.brand_id = :brand_id AND shops.id = given.shop_id
    WHERE given.status <> 'planned' AND (given.customer_id IS NULL OR customers.id IS NOT NULL)
    ORDER BY given.message_id
    ON CONFLICT DO NOTHING
""")
_ATTEMPTS = text(f"""
    WITH given AS ({_GIVEN})
    INSERT INTO attempts (brand_id, id, message_id, number, provider, status, error, started_at, finished_at)
    SELECT :brand_id, given.attempt_id, messages.id, given.number, given.provider, given.attempt_status,
           'from the journal', given.at, given.at
    FROM given JOIN messages ON messages.brand_id = :brand_id AND messages.template = given.template
        AND messages.subject_id = given.subject_id AND messages.step = given.step
        AND messages.channel = given.channel
    ON CONFLICT (brand_id, id) DO UPDATE SET status = excluded.status, error = excluded.error,
        finished_at = excluded.finished_at
    WHERE attempts.status IN ('sending', 'unknown')
""")
# Of several attempts of a message the best one counts. What is known to have arrived, or was
# decided, stays.
_STATES = text(f"""
    WITH given AS ({_GIVEN}), best AS (
        SELECT DISTINCT ON (messages.id) messages.id, given.status, given.at FROM given
        JOIN messages ON messages.brand_id = :brand_id AND messages.template = given.template
            AND messages.subject_id = given.subject_id AND messages.step = given.step
            AND messages.channel = given.channel
        WHERE given.status IN ('accepted', 'review')
        ORDER BY messages.id, given.status, given.at
    )
    UPDATE messages SET status = best.status, reason = NULL,
        sent_at = CASE WHEN best.status = 'accepted' THEN best.at ELSE messages.sent_at END
    FROM best WHERE messages.brand_id = :brand_id AND messages.id = best.id
        AND messages.status IN ('planned', 'sending', 'unknown', 'review', 'failed')
        AND messages.status <> best.status
    RETURNING messages.id, messages.status
""")
_COUNTS = text(f"""
    WITH given AS ({_GIVEN})
    UPDATE messages SET
        attempts = (SELECT count(*) FROM attempts
            WHERE attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id),
        possible_duplicate = possible_duplicate OR (SELECT count(*) FROM attempts
            WHERE attempts.brand_id = messages.brand_id AND attempts.message_id = messages.id
                AND attempts.status <> 'refused') > 1
    FROM given WHERE messages.brand_id = :brand_id AND messages.template = given.template
        AND messages.subject_id = given.subject_id AND messages.step = given.step
        AND messages.channel = given.channel
""")
_STRANGE = text(f"""
    WITH given AS ({_GIVEN})
    SELECT count(DISTINCT given.message_id) FROM given WHERE given.status <> 'planned' AND NOT EXISTS (
        SELECT FROM messages WHERE messages.brand_id = :brand_id AND messages.template = given.template
            AND messages.subject_id = given.subject_id AND messages.step = given.step
            AND messages.channel = given.channel)
""")


@dataclass(frozen=True, slots=True)
class RestoredSends:
    """How many messages are sent by the journal, are in review, or are unknown to the copy."""

    sent: int = 0
    in_review: int = 0
    unknown_here: int = 0
    """Of customers or shops that the copy does not have."""


async def find_open(
    session: AsyncSession, brand_id: int, sends: Sequence[JournaledSend]
) -> list[JournaledSend]:
    """Which of these were under way when the copy was made: their attempts have no outcome."""
    if not sends:
        return []
    ids = [send.attempt_id for send in sends]
    found = await session.scalars(
        select(Attempt.id).where(
            Attempt.brand_id == brand_id, in_ids(Attempt.id, ids), Attempt.status == AttemptStatus.sending
        )
    )
    is_open = set(found)
    return [send for send in sends if send.attempt_id in is_open]


async def restore_sends(
    session: AsyncSession,
    brand_id: int,
    sends: Sequence[JournaledSend],
    unsent: Mapping[UUID, AttemptStatus],
) -> RestoredSends:
    """Write attempts and the states of their messages as the journal knows them. Idempotent.

    `unsent` are the attempts that were refused or have an unknown outcome. A message whose attempt
    was refused is sent by itself later; one of unknown outcome goes to review. A message that the
    copy does not have gets a row without content, so that what queues it again finds it sent.
    """
    rows = []
    for send in sends:
        attempt = unsent.get(send.attempt_id, AttemptStatus.accepted)
        rows.append(as_row(send) | {"attempt_status": attempt, "status": _STATUS[attempt]})
    given = {"brand_id": brand_id, "rows": orjson.dumps(rows).decode()}
    await session.execute(_MESSAGES, given)
    await session.execute(_ATTEMPTS, given)
    found = (await session.execute(_STATES, given)).all()
    states: dict[UUID, str] = {row.id: row.status for row in found}
    await touch(session, brand_id, "messages", states)
    await session.execute(_COUNTS, given)
    return RestoredSends(
        sent=list(states.values()).count(MessageStatus.accepted),
        in_review=list(states.values()).count(MessageStatus.review),
        unknown_here=await session.scalar(_STRANGE, given) or 0,
    )


_STATUS = {
    AttemptStatus.accepted: MessageStatus.accepted,
    AttemptStatus.unknown: MessageStatus.review,
    AttemptStatus.refused: MessageStatus.planned,
}
