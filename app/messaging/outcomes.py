"""Record the outcomes of attempts, guarded by their numbers.

What a provider event has proved meanwhile is never undone.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.context import AppContext
from app.base.errors import OutsideError
from app.base.prepared import Prepared
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.rules import SuppressionReason
from app.messaging.due_messages import ClaimedMessage
from app.messaging.provider_event_rules import SUPPRESSIONS
from app.messaging.providers.protocol import Accepted, Result
from app.messaging.rules import AttemptDecision, RecipientRefused, decide_attempt

# Every writer locks messages before attempts, in the order of their ids.
_LOCK = Prepared(
    text(
        "SELECT FROM messages WHERE brand_id = :brand_id AND id = ANY(CAST(:ids AS uuid[]))"
        " ORDER BY id FOR UPDATE"
    ),
    tuple,
)
# A message that is being sent has a reason only by `cancel_messages`: it must not be sent again.
_MESSAGES = Prepared(
    text("""
    UPDATE messages SET
        status = CASE WHEN messages.reason IS NULL THEN result.status
                      WHEN result.status = 'planned' THEN 'cancelled'
                      WHEN result.status = 'review' THEN 'unknown'
                      ELSE result.status END,
        reason = CASE WHEN result.status IN ('planned', 'unknown', 'review') THEN messages.reason
                      ELSE result.reason END,
        unknowns = messages.unknowns + (result.status IN ('unknown', 'review'))::int,
        refusals = messages.refusals + result.counts::int,
        due_at = coalesce(result.due_at, messages.due_at),
        at_once = messages.at_once AND result.status <> 'planned',
        sent_at = CASE WHEN result.status = 'accepted' THEN :now ELSE messages.sent_at END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS smallint[]), CAST(:statuses AS text[]),
                CAST(:reasons AS text[]), CAST(:due_at AS timestamptz[]), CAST(:counts AS boolean[]))
        AS result (id, number, status, reason, due_at, counts)
    WHERE messages.brand_id = :brand_id AND messages.id = result.id AND messages.attempts = result.number
      AND (messages.status = 'sending'
           OR (messages.status IN ('unknown', 'review') AND result.status = 'accepted'))
"""),
    tuple,
)
_ATTEMPTS = Prepared(
    text("""
    UPDATE attempts SET
        status = CASE WHEN attempts.status = 'accepted' THEN attempts.status ELSE result.status END,
        provider_ref = coalesce(attempts.provider_ref, result.provider_ref), error = result.error,
        finished_at = coalesce(attempts.finished_at, :now)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:refs AS text[]),
                CAST(:errors AS text[]))
        AS result (id, status, provider_ref, error)
    WHERE attempts.brand_id = :brand_id AND attempts.id = result.id
"""),
    tuple,
)


async def record_results(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    messages: Sequence[ClaimedMessage],
    results: Sequence[Result],
    *,
    now: datetime,
) -> None:
    """Record the result of each message's attempt, in order.

    The wait until a next try counts from `now`.
    """
    decisions = _decide(messages, results)
    # Suppressions first, as everywhere: provider events of the same messages may come in meanwhile.
    await _suppress_refused(session, context, brand_id, messages, results, now)
    ids = [message.message_id for message in messages]
    await _LOCK.run(session, brand_id=brand_id, ids=ids)
    await _MESSAGES.run(
        session,
        brand_id=brand_id,
        now=now,
        ids=ids,
        numbers=[message.number for message in messages],
        statuses=[decision.message.value for decision in decisions],
        reasons=[decision.reason for decision in decisions],
        due_at=[None if decision.wait is None else now + decision.wait for decision in decisions],
        counts=[decision.counts for decision in decisions],
    )
    await _ATTEMPTS.run(
        session,
        brand_id=brand_id,
        now=now,
        ids=[message.attempt_id for message in messages],
        statuses=[decision.attempt.value for decision in decisions],
        refs=[result.provider_ref if isinstance(result, Accepted) else None for result in results],
        errors=[result.reason if isinstance(result, OutsideError) else None for result in results],
    )


def _decide(messages: Sequence[ClaimedMessage], results: Sequence[Result]) -> list[AttemptDecision]:
    """The decision about each message's attempt, in order."""
    return [
        decide_attempt(
            result if isinstance(result, OutsideError) else None,
            refusals=message.refusals,
            unknowns=message.unknowns,
        )
        for message, result in zip(messages, results, strict=True)
    ]


async def _suppress_refused(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    messages: Sequence[ClaimedMessage],
    results: Sequence[Result],
    now: datetime,
) -> None:
    """Suppress addresses that the provider refused for good: who replied STOP, who does not exist.

    This holds even where we never got the reply, or no event follows.
    """
    refused: dict[tuple[Channel, SuppressionReason], list[str]] = defaultdict(list)
    for message, result in zip(messages, results, strict=True):
        if isinstance(result, RecipientRefused):
            refused[message.version.channel, SUPPRESSIONS[result.cause]].append(message.address)
    for (channel, reason), addresses in sorted(refused.items()):
        await suppress(session, context.tokens, brand_id, channel, addresses, reason, now=now)
