"""Queue messages and cancel them: the only way in which other packages send anything."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import array_text
from app.base.db import to_json
from app.base.frozen import quick
from app.base.ids import new_id
from app.base.prepared import Prepared
from app.brands.programme import Channel
from app.messaging.rules import Priority
from app.messaging.templates import TemplateSpec, stored_params

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SWEEP_NAME = "messages"
URGENT_SWEEP_NAME = "urgent"


@quick
@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent. Template, subject, step and channel together are sent at most once."""

    template: TemplateSpec
    subject_id: UUID
    """The row it is about; the template's `subject_prefix` names its kind."""
    customer_id: UUID | None
    """None for a template to staff."""
    shop_id: UUID
    channel: Channel
    address: str
    locale: str
    template_params: "DataclassInstance"
    """Of the template's own type."""
    due_at: datetime
    step: int = 0
    """0 for the first message about the subject, then 1, 2, … for reminders."""
    at_once: bool = False
    """Due whatever time a sweep is run at."""
    trial: bool = False
    """Of a trial: left out of figures; the first message waits for no quiet hours."""


def _as_it_is(row_id: UUID) -> UUID:
    return row_id


# Arrays rather than rows of parameters: one statement for any number, below the limit of 32,767.
# Each is bound as one text (`array_text`).
_INSERT = Prepared(
    text("""
    INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
                          status, address, locale, template_params, at_once, due_at,
                          attempts, unknowns, refusals, possible_duplicate, trial)
    SELECT :brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
           'planned', address, locale, template_params::jsonb, at_once, due_at, 0, 0, 0, false, trial
    FROM unnest(CAST(CAST(:ids AS text) AS uuid[]), CAST(CAST(:customer_ids AS text) AS uuid[]),
                CAST(CAST(:shop_ids AS text) AS uuid[]), CAST(CAST(:templates AS text) AS text[]),
                CAST(CAST(:subject_ids AS text) AS uuid[]), CAST(CAST(:steps AS text) AS smallint[]),
                CAST(CAST(:channels AS text) AS text[]), CAST(CAST(:priorities AS text) AS text[]),
                CAST(CAST(:addresses AS text) AS text[]), CAST(CAST(:locales AS text) AS text[]),
                CAST(CAST(:template_params AS text) AS text[]), CAST(CAST(:at_once AS text) AS boolean[]),
                CAST(CAST(:due_at AS text) AS timestamptz[]), CAST(CAST(:trials AS text) AS boolean[]))
         AS new (id, customer_id, shop_id, template, subject_id, step, channel, priority, address,
                 locale, template_params, at_once, due_at, trial)
    ON CONFLICT (brand_id, template, subject_id, step, channel) DO NOTHING
    RETURNING id
"""),
    _as_it_is,
)
# What may have been sent stays unknown. Its reason prevents another send, and keeps it out of the
# list for review.
_CANCEL = Prepared(
    text("""
    WITH found AS (
        SELECT id, status FROM messages
        WHERE brand_id = :brand_id AND subject_id = ANY(CAST(:subject_ids AS uuid[]))
          AND template = ANY(CAST(:templates AS text[]))
          AND status IN ('planned', 'sending', 'unknown', 'review')
        ORDER BY id FOR UPDATE
    ), changed AS (
        UPDATE messages SET reason = coalesce(messages.reason, :reason),
            status = CASE found.status WHEN 'planned' THEN 'cancelled' WHEN 'review' THEN 'unknown'
                     ELSE messages.status END
        FROM found WHERE messages.brand_id = :brand_id AND messages.id = found.id
        RETURNING found.status
    )
    SELECT count(*) FROM changed WHERE status = 'planned'
"""),
    int,
)


async def queue_messages(session: AsyncSession, brand_id: int, messages: Sequence[NewMessage]) -> list[UUID]:
    """Queue messages, and wake their sender once the caller commits.

    Returns the ids of the new ones. Messages that were queued before are left out, also when
    another transaction queues them at the same time. Raises `ValueError` for a channel that the
    template does not have, `TypeError` for parameters of another template.
    """
    if not messages:
        return []
    for message in messages:
        if message.channel not in message.template.channels:
            raise ValueError(f"the template {message.template.name!r} has no {message.channel}")
    # In the order of the unique key: two transactions with the same messages cannot deadlock.
    ordered = sorted(
        messages, key=lambda each: (each.template.name, each.subject_id, each.step, each.channel)
    )
    ids = await _INSERT.all(session, brand_id=brand_id, **_arrays(ordered))
    if ids:
        await wake_senders(session, brand_id, {message.template.priority for message in ordered})
    return ids


async def wake_senders(session: AsyncSession, brand_id: int, priorities: Collection[Priority]) -> None:
    """Wake who sends a brand's messages of these priorities, once the caller commits.

    Each priority has a sweep of its own, so an offer does not wait for a batch of surveys.
    """
    if Priority.normal in priorities:
        await due.wake(session, SWEEP_NAME)
    if Priority.urgent in priorities:
        await due.wake_for(session, URGENT_SWEEP_NAME, brand_id)


def _arrays(messages: Sequence[NewMessage]) -> dict[str, object]:
    """The messages as arrays of `_INSERT`, with new ids."""
    arrays: dict[str, list[object]] = {
        "ids": [new_id() for _ in messages],
        "customer_ids": [message.customer_id for message in messages],
        "shop_ids": [message.shop_id for message in messages],
        "templates": [message.template.name for message in messages],
        "subject_ids": [message.subject_id for message in messages],
        "steps": [message.step for message in messages],
        "channels": [message.channel.value for message in messages],
        "priorities": [message.template.priority.value for message in messages],
        "addresses": [message.address for message in messages],
        "locales": [message.locale for message in messages],
        "template_params": [
            to_json(stored_params(message.template, message.template_params)) for message in messages
        ],
        "at_once": [message.at_once for message in messages],
        "due_at": [message.due_at for message in messages],
        "trials": [message.trial for message in messages],
    }
    return {name: array_text(values) for name, values in arrays.items()}


async def cancel_messages(
    session: AsyncSession,
    brand_id: int,
    subject_ids: Collection[UUID],
    templates: Collection[TemplateSpec],
    *,
    reason: str,
) -> int:
    """Cancel what was not sent yet; returns how many planned messages were cancelled.

    A message that is being sent, or whose outcome is unknown, is not sent again.
    """
    if not subject_ids or not templates:
        return 0
    given = {
        "subject_ids": list(subject_ids),
        "templates": [template.name for template in templates],
        "reason": reason,
    }
    return await _CANCEL.first(session, brand_id=brand_id, **given) or 0
