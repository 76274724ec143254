"""Record the outcomes of attempts, guarded by their numbers.

What a provider event has proved meanwhile is never undone.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base.batch import array_text
from app.base.context import AppContext
from app.base.errors import OutsideError
from app.base.prepared import Prepared, one_value
from app.base.touched import touch
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.rules import SuppressionReason
from app.messaging.due_messages import ClaimedMessage
from app.messaging.provider_event_rules import SUPPRESSIONS
from app.messaging.providers.protocol import Accepted, Result
from app.messaging.rules import AttemptDecision, RecipientRefused, decide_attempt
from app.messaging.templates import find_template

# Every writer locks messages before attempts, in the order of their ids. By a statement of its own,
# and with the driver's array: where a table's statistics are of when it was empty, one statement
# compares each row with each, and a text is made into an array for each row.
_LOCK = Prepared(
    text("""
        SELECT FROM messages WHERE brand_id = :brand_id AND id = ANY(CAST(:ids AS uuid[]))
        ORDER BY id FOR UPDATE
    """),
    tuple,
)
# A message that is being sent has a reason only by `cancel_messages`: it must not be sent again.
_MESSAGES: Prepared[UUID | None] = Prepared(
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
    FROM (
        SELECT unnest(CAST(:ids AS uuid[])) AS id,
            unnest(CAST(CAST(:numbers AS text) AS smallint[])) AS number,
            unnest(CAST(CAST(:statuses AS text) AS text[])) AS status,
            unnest(CAST(CAST(:reasons AS text) AS text[])) AS reason,
            unnest(CAST(CAST(:due_at AS text) AS timestamptz[])) AS due_at,
            unnest(CAST(CAST(:counts AS text) AS boolean[])) AS counts
    ) AS result
    WHERE messages.brand_id = :brand_id AND messages.id = result.id AND messages.attempts = result.number
      AND (messages.status = 'sending'
           OR (messages.status IN ('unknown', 'review') AND result.status = 'accepted'))
    RETURNING CASE messages.status WHEN 'accepted' THEN messages.id END
"""),
    one_value,
)
_ATTEMPTS = Prepared(
    text("""
    UPDATE attempts SET
        status = CASE WHEN attempts.status = 'accepted' THEN attempts.status ELSE result.status END,
        provider_ref = coalesce(attempts.provider_ref, result.provider_ref), error = result.error,
        finished_at = coalesce(attempts.finished_at, :now)
    FROM (
        SELECT unnest(CAST(:ids AS uuid[])) AS id,
            unnest(CAST(CAST(:statuses AS text) AS text[])) AS status,
            unnest(CAST(CAST(:refs AS text) AS text[])) AS provider_ref,
            unnest(CAST(CAST(:errors AS text) AS text[])) AS error
    ) AS result
    WHERE attempts.brand_id = :brand_id AND attempts.id = result.id
"""),
    tuple,
)


# Most batches: all were accepted by one call. No row is joined with another, so this reads messages
# by their keys whatever the planner knows of a table that was empty a minute ago.
_ACCEPT_MESSAGES: Prepared[UUID | None] = Prepared(
    text("""
    UPDATE messages SET status = 'accepted', reason = NULL, sent_at = :now
    WHERE brand_id = :brand_id AND id = ANY(CAST(:ids AS uuid[])) AND attempts = :number
      AND status IN ('sending', 'unknown', 'review')
    RETURNING id
"""),
    one_value,
)
_ACCEPT_ATTEMPTS = Prepared(
    text("""
    UPDATE attempts SET status = 'accepted', provider_ref = coalesce(provider_ref, :ref), error = NULL,
        finished_at = coalesce(finished_at, :now)
    WHERE brand_id = :brand_id AND id = ANY(CAST(:ids AS uuid[]))
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
    call = _one_call(messages, results)
    if call is None:
        accepted = await _record_each(session, context, brand_id, messages, results, now)
    else:
        accepted = await _record_accepted(session, brand_id, messages, call, now)
    await touch(session, brand_id, "messages", [each for each in accepted if each is not None])
    await _report_accepted(session, brand_id, messages, set(accepted), now)


def _one_call(messages: Sequence[ClaimedMessage], results: Sequence[Result]) -> tuple[int, str | None] | None:
    """The number of the attempts and the provider's id, where all were accepted and share both."""
    calls = {
        (message.number, result.provider_ref) if isinstance(result, Accepted) else None
        for message, result in zip(messages, results, strict=True)
    }
    return calls.pop() if len(calls) == 1 else None


async def _record_accepted(
    session: AsyncSession,
    brand_id: int,
    messages: Sequence[ClaimedMessage],
    call: tuple[int, str | None],
    now: datetime,
) -> list[UUID | None]:
    """As `_record_each`, of a call that was accepted."""
    number, ref = call
    ids = [message.message_id for message in messages]
    await _LOCK.run(session, brand_id=brand_id, ids=ids)
    accepted = await _ACCEPT_MESSAGES.all(session, brand_id=brand_id, now=now, ids=ids, number=number)
    attempt_ids = [message.attempt_id for message in messages]
    await _ACCEPT_ATTEMPTS.run(session, brand_id=brand_id, now=now, ids=attempt_ids, ref=ref)
    return accepted


async def _record_each(
    session: AsyncSession,
    context: AppContext,
    brand_id: int,
    messages: Sequence[ClaimedMessage],
    results: Sequence[Result],
    now: datetime,
) -> list[UUID | None]:
    """Write each result; returns the messages that are accepted now, None for the others."""
    decisions = _decide(messages, results)
    # Suppressions first, as everywhere: provider events of the same messages may come in meanwhile.
    await _suppress_refused(session, context, brand_id, messages, results, now)
    ids = [message.message_id for message in messages]
    of_messages: dict[str, list[object]] = {
        "numbers": [message.number for message in messages],
        "statuses": [decision.message for decision in decisions],
        "reasons": [decision.reason for decision in decisions],
        "due_at": [None if decision.wait is None else now + decision.wait for decision in decisions],
        "counts": [decision.counts for decision in decisions],
    }
    await _LOCK.run(session, brand_id=brand_id, ids=ids)
    accepted = await _MESSAGES.all(session, brand_id=brand_id, now=now, ids=ids, **_bound(of_messages))
    of_attempts: dict[str, list[object]] = {
        "statuses": [decision.attempt for decision in decisions],
        "refs": [result.provider_ref if isinstance(result, Accepted) else None for result in results],
        "errors": [result.reason if isinstance(result, OutsideError) else None for result in results],
    }
    attempt_ids = [message.attempt_id for message in messages]
    await _ATTEMPTS.run(session, brand_id=brand_id, now=now, ids=attempt_ids, **_bound(of_attempts))
    return accepted


def _bound(arrays: Mapping[str, Sequence[object]]) -> dict[str, str]:
    return {name: array_text(values) for name, values in arrays.items()}


async def _report_accepted(
    session: AsyncSession,
    brand_id: int,
    messages: Sequence[ClaimedMessage],
    accepted: Collection[UUID | None],
    now: datetime,
) -> None:
    """Tell the templates' packages which subjects' messages were accepted just now."""
    subjects: dict[str, list[UUID]] = defaultdict(list)
    for message in messages:
        if message.message_id in accepted:
            subjects[message.version.template].append(message.subject_id)
    for name, subject_ids in sorted(subjects.items()):
        template = find_template(name)
        if template is not None and template.when_accepted is not None:
            await template.when_accepted(session, brand_id, subject_ids, now)


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
