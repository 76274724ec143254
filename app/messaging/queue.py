"""Queue messages and take them back: the one way other rooms make somebody be written to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.base import due
from app.base.ids import new_id
from app.brands.programme import Channel
from app.messaging.rules import Priority, Template
from app.messaging.templates import TemplateParams, stored

_ROOMS = {Priority.urgent: "urgent", Priority.normal: "messages"}


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message somebody shall get. Template, subject, step and channel together are sent at most once."""

    template: Template
    subject_id: UUID
    customer_id: UUID
    shop_id: UUID
    channel: Channel
    address: str
    locale: str
    template_params: TemplateParams
    due_at: datetime
    step: int = 0
    priority: Priority = Priority.normal
    at_once: bool = False
    """Due whatever time a sweep is run at."""


# Arrays rather than rows of parameters: one statement whatever the number, below the protocol's 32,767 parameters.
_INSERT = text("""
    INSERT INTO messages (brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority, status, address, locale,
                          template_params, at_once, due_at, attempts, unknowns, possible_duplicate)
    SELECT :brand_id, id, customer_id, shop_id, template, subject_id, step, channel, priority, 'planned', address, locale,
           template_params::jsonb, at_once, due_at, 0, 0, false
    FROM unnest(CAST(:ids AS uuid[]), CAST(:customer_ids AS uuid[]), CAST(:shop_ids AS uuid[]), CAST(:templates AS text[]),
                CAST(:subject_ids AS uuid[]), CAST(:steps AS smallint[]), CAST(:channels AS text[]), CAST(:priorities AS text[]),
                CAST(:addresses AS text[]), CAST(:locales AS text[]), CAST(:template_params AS text[]), CAST(:at_once AS boolean[]),
                CAST(:due_at AS timestamptz[]))
         AS wanted (id, customer_id, shop_id, template, subject_id, step, channel, priority, address, locale, template_params, at_once, due_at)
    ON CONFLICT (brand_id, template, subject_id, step, channel) DO NOTHING
    RETURNING id
""")

_CANCEL = text("""
    WITH found AS (
        SELECT id, status FROM messages
        WHERE brand_id = :brand_id AND subject_id = ANY(CAST(:subject_ids AS uuid[])) AND template = ANY(CAST(:templates AS text[]))
          AND status IN ('planned', 'sending', 'unknown')
        ORDER BY id FOR UPDATE
    ), changed AS (
        UPDATE messages SET reason = coalesce(messages.reason, :reason),
            status = CASE WHEN found.status = 'planned' THEN 'cancelled' ELSE messages.status END
        FROM found WHERE messages.brand_id = :brand_id AND messages.id = found.id
        RETURNING found.status
    )
    SELECT count(*) FROM changed WHERE status = 'planned'
""")


async def queue_messages(session: AsyncSession, brand_id: int, wanted: Sequence[NewMessage]) -> list[UUID]:
    """Write the messages that are not queued yet and wake the sender; answers the ids of the rows made.

    What was queued or sent before is passed over in silence, also when another transaction queues it at the same time.
    """
    if not wanted:
        return []
    # In the order of the unique key, so that two transactions with the same messages wait in a line and not for each other.
    ordered = sorted(wanted, key=lambda one: (one.template, one.subject_id, one.step, one.channel))
    made = await session.scalars(
        _INSERT,
        {
            "brand_id": brand_id,
            "ids": [new_id() for _ in ordered],
            "customer_ids": [one.customer_id for one in ordered],
            "shop_ids": [one.shop_id for one in ordered],
            "templates": [one.template.value for one in ordered],
            "subject_ids": [one.subject_id for one in ordered],
            "steps": [one.step for one in ordered],
            "channels": [one.channel.value for one in ordered],
            "priorities": [one.priority.value for one in ordered],
            "addresses": [one.address for one in ordered],
            "locales": [one.locale for one in ordered],
            "template_params": [orjson.dumps(stored(one.template_params)).decode() for one in ordered],
            "at_once": [one.at_once for one in ordered],
            "due_at": [one.due_at for one in ordered],
        },
    )
    ids = list(made)
    if ids:
        # Each priority has a sweep of its own, so that an offer does not wait for a batch of surveys that is under way.
        priorities = {one.priority for one in ordered}
        await due.wake(session, *(name for priority, name in _ROOMS.items() if priority in priorities))
    return ids


async def cancel_messages(
    session: AsyncSession,
    brand_id: int,
    subject_ids: Collection[UUID],
    templates: Collection[Template],
    *,
    reason: str,
) -> int:
    """Take back what was not sent yet; answers how many planned messages were cancelled.

    One that is just being sent, or of which nobody knows whether it was, is not sent again.
    """
    if not subject_ids or not templates:
        return 0
    given = {
        "subject_ids": list(subject_ids),
        "templates": [template.value for template in templates],
        "reason": reason,
    }
    return int(await session.scalar(_CANCEL, {"brand_id": brand_id, **given}) or 0)
