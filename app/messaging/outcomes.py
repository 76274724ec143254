"""Record what became of attempts, guarded by their numbers: what a receipt has proved meanwhile is never taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.errors import OutsideError
from app.base.web.context import AppContext
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.rules import SuppressionReason
from app.messaging.claim import ClaimedMessage
from app.messaging.providers.protocol import Accepted, Result
from app.messaging.rules import OPTED_OUT, AttemptDecision, decide_attempt

# Everybody locks messages before attempts, in the order of their ids.
_LOCK = text(
    "SELECT FROM messages WHERE brand_id = :brand_id AND id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
)
# A reason on a message that was being sent is somebody's wish not to send it again (see `cancel_messages`).
_MESSAGES = text("""
    UPDATE messages SET
        status = CASE WHEN told.status = 'planned' AND messages.reason IS NOT NULL THEN 'cancelled' ELSE told.status END,
        reason = CASE WHEN told.status IN ('planned', 'unknown') THEN coalesce(messages.reason, told.reason) ELSE told.reason END,
        unknowns = messages.unknowns + (told.status = 'unknown')::int,
        due_at = coalesce(told.due_at, messages.due_at),
        at_once = messages.at_once AND told.status <> 'planned',
        sent_at = CASE WHEN told.status = 'accepted' THEN :now ELSE messages.sent_at END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS smallint[]), CAST(:statuses AS text[]), CAST(:reasons AS text[]),
                CAST(:due_at AS timestamptz[])) AS told (id, number, status, reason, due_at)
    WHERE messages.brand_id = :brand_id AND messages.id = told.id AND messages.attempts = told.number
      AND (messages.status = 'sending' OR (messages.status = 'unknown' AND told.status = 'accepted'))
""")
_ATTEMPTS = text("""
    UPDATE attempts SET status = CASE WHEN attempts.status = 'accepted' THEN attempts.status ELSE told.status END,
        provider_ref = coalesce(attempts.provider_ref, told.provider_ref), error = told.error,
        finished_at = coalesce(attempts.finished_at, :now)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:refs AS text[]), CAST(:errors AS text[]))
        AS told (id, status, provider_ref, error)
    WHERE attempts.brand_id = :brand_id AND attempts.id = told.id
""")


@dataclass(frozen=True, slots=True)
class _Told:
    claimed: ClaimedMessage
    result: Result
    decision: AttemptDecision


async def record_results(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    claimed: Sequence[ClaimedMessage],
    results: Sequence[Result],
    *,
    now: datetime,
) -> None:
    """Write down the result of each attempt, in order; a message that is to be tried again gets its due time from `now`."""
    told = [_judge(one, result) for one, result in zip(claimed, results, strict=True)]
    # Suppressions first, as everywhere: receipts of the same letters may be on their way in.
    await _suppress_opted_out(session, context, brand_id, told, now)
    await session.execute(_LOCK, {"brand_id": brand_id, "ids": [one.message_id for one in claimed]})
    await session.execute(
        _MESSAGES,
        {
            "brand_id": brand_id,
            "now": now,
            "ids": [one.claimed.message_id for one in told],
            "numbers": [one.claimed.number for one in told],
            "statuses": [one.decision.message.value for one in told],
            "reasons": [one.decision.reason for one in told],
            "due_at": [None if one.decision.wait is None else now + one.decision.wait for one in told],
        },
    )
    await session.execute(
        _ATTEMPTS,
        {
            "brand_id": brand_id,
            "now": now,
            "ids": [one.claimed.attempt_id for one in told],
            "statuses": [one.decision.attempt.value for one in told],
            "refs": [one.result.provider_ref if isinstance(one.result, Accepted) else None for one in told],
            "errors": [one.result.reason if isinstance(one.result, OutsideError) else None for one in told],
        },
    )


def _judge(one: ClaimedMessage, result: Result) -> _Told:
    outcome = result if isinstance(result, OutsideError) else None
    return _Told(one, result, decide_attempt(outcome, attempts=one.number, unknowns=one.unknowns))


async def _suppress_opted_out(
    session: AsyncSession, context: AppContext, brand_id: int, told: Sequence[_Told], now: datetime
) -> None:
    """Who told the carrier STOP told us, even where their word never came here."""
    gone = [one.claimed.address for one in told if one.decision.reason == OPTED_OUT]
    if gone:
        await suppress(
            session, context.tokens, brand_id, Channel.sms, gone, SuppressionReason.stopped, now=now
        )
