"""Queue messages and cancel them: the only way in which other packages send anything."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.batch import array_text
from app.base.db import to_json
from app.base.frozen import quick
from app.base.ids import new_id
from app.base.prepared import Prepared, one_value
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


# Arrays rather than rows of parameters: one statement for any number, below the limit of 32,767.
# What most messages of a batch share is bound once for each kind, and named by the kind's place.
_INSERT: Prepared[UUID] = Prepared(
    text("""
    INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority,
                          status, address, locale, template_params, at_once, due_at,
                          attempts, unknowns, refusals, possible_duplicate, trial)
    SELECT :brand_id, id, customer_id, (CAST(:shop_ids AS uuid[]))[kind], (CAST(:templates AS text[]))[kind],
           subject_id, (CAST(:steps AS smallint[]))[kind], (CAST(:channels AS text[]))[kind],
           (CAST(:priorities AS text[]))[kind], 'planned', address, (CAST(:locales AS text[]))[kind],
           template_params, (CAST(:at_once AS boolean[]))[kind], (CAST(:due_at AS timestamptz[]))[kind],
           0, 0, 0, false, (CAST(:trials AS boolean[]))[kind]
    FROM (
        SELECT unnest(CAST(:ids AS uuid[])) AS id, unnest(CAST(:customer_ids AS uuid[])) AS customer_id,
            unnest(CAST(:subject_ids AS uuid[])) AS subject_id,
            unnest(CAST(CAST(:kinds AS text) AS integer[])) AS kind,
            unnest(CAST(CAST(:addresses AS text) AS text[])) AS address,
            jsonb_array_elements(CAST(CAST(:template_params AS text) AS jsonb)) AS template_params
    ) AS new
    ON CONFLICT (brand_id, template, subject_id, step, channel) DO NOTHING
    RETURNING id
"""),
    one_value,
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


class _Kind(NamedTuple):
    """What messages have in common; its fields are arrays of `_INSERT`."""

    shop_ids: UUID
    templates: str
    steps: int
    channels: str
    priorities: str
    locales: str
    at_once: bool
    due_at: datetime
    trials: bool


def _kind(message: NewMessage) -> _Kind:
    template = message.template
    return _Kind(
        message.shop_id,
        template.name,
        message.step,
        message.channel.value,
        template.priority.value,
        message.locale,
        message.at_once,
        message.due_at,
        message.trial,
    )


def _arrays(messages: Sequence[NewMessage]) -> dict[str, object]:
    """The messages as arrays of `_INSERT`, with new ids."""
    places: dict[_Kind, int] = {}
    kinds = [places.setdefault(_kind(message), len(places) + 1) for message in messages]
    shared = dict(zip(_Kind._fields, map(list, zip(*places, strict=True)), strict=True))
    return {
        "ids": [new_id() for _ in messages],
        "customer_ids": [message.customer_id for message in messages],
        "subject_ids": [message.subject_id for message in messages],
        "kinds": array_text(kinds),
        "addresses": array_text([message.address for message in messages]),
        "template_params": to_json(
            [stored_params(message.template, message.template_params) for message in messages]
        ),
        **shared,
    }


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
