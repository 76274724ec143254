"""Erase a person's messages: addresses and contents are deleted, the fact of each message stays."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_LOCK = text("""
    SELECT FROM messages WHERE brand_id = :brand_id AND customer_id = ANY(CAST(:customer_ids AS uuid[]))
    ORDER BY id FOR UPDATE
""")
_OUTBOX = text("""
    DELETE FROM outbox USING attempts, messages
    WHERE outbox.brand_id = :brand_id AND attempts.brand_id = :brand_id AND messages.brand_id = :brand_id
      AND attempts.id = outbox.id AND messages.id = attempts.message_id
      AND messages.customer_id = ANY(CAST(:customer_ids AS uuid[]))
""")
_MESSAGES = text("""
    UPDATE messages SET address = NULL, template_params = '{}',
        status = CASE status WHEN 'planned' THEN 'cancelled' WHEN 'review' THEN 'unknown' ELSE status END,
        reason = CASE WHEN status IN ('planned', 'sending', 'unknown', 'review')
                 THEN coalesce(reason, 'erased') ELSE reason END
    WHERE brand_id = :brand_id AND customer_id = ANY(CAST(:customer_ids AS uuid[]))
""")


async def erase_messages(session: AsyncSession, brand_id: int, customer_ids: Collection[UUID]) -> None:
    """Cancel what is planned, delete addresses and parameters, and what the outbox stored.

    A message that is being sent at this moment is still sent.
    """
    given = {"brand_id": brand_id, "customer_ids": list(customer_ids)}
    await session.execute(_LOCK, given)
    await session.execute(_OUTBOX, given)
    await session.execute(_MESSAGES, given)
