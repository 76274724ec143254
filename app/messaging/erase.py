"""Erase a person's messages: addresses and contents are deleted, the fact of each message stays."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.messaging.templates import TemplateSpec

_OF_CUSTOMERS = "messages.customer_id = ANY(CAST(:ids AS uuid[]))"
_ABOUT = (
    "messages.subject_id = ANY(CAST(:ids AS uuid[])) AND messages.template = ANY(CAST(:templates AS text[]))"
)
_LOCK = """
    SELECT FROM messages WHERE brand_id = :brand_id AND {condition} ORDER BY id FOR UPDATE
"""
_OUTBOX = """
    DELETE FROM outbox USING attempts, messages
    WHERE outbox.brand_id = :brand_id AND attempts.brand_id = :brand_id AND messages.brand_id = :brand_id
      AND attempts.id = outbox.id AND messages.id = attempts.message_id
      AND {condition}
"""
_MESSAGES = """
    UPDATE messages SET address = NULL, template_params = '{{}}',
        status = CASE status WHEN 'planned' THEN 'cancelled' WHEN 'review' THEN 'unknown' ELSE status END,
        reason = CASE WHEN status IN ('planned', 'sending', 'unknown', 'review')
                 THEN coalesce(reason, 'erased') ELSE reason END
    WHERE brand_id = :brand_id AND {condition}
"""
_ERASE_OF_CUSTOMERS, _ERASE_ABOUT = (
    [text(each.format(condition=condition)) for each in (_LOCK, _OUTBOX, _MESSAGES)]
    for condition in (_OF_CUSTOMERS, _ABOUT)
)


async def erase_messages(session: AsyncSession, brand_id: int, customer_ids: Collection[UUID]) -> None:
    """Cancel what is planned, delete addresses and parameters, and what the outbox stored.

    A message that is being sent at this moment is still sent.
    """
    for statement in _ERASE_OF_CUSTOMERS:
        await session.execute(statement, {"brand_id": brand_id, "ids": list(customer_ids)})


async def erase_messages_about(
    session: AsyncSession, brand_id: int, subject_ids: Collection[UUID], templates: Collection[TemplateSpec]
) -> None:
    """As `erase_messages`, for messages of these templates about these rows."""
    if not subject_ids:
        return
    names = [template.name for template in templates]
    for statement in _ERASE_ABOUT:
        await session.execute(statement, {"brand_id": brand_id, "ids": list(subject_ids), "templates": names})
