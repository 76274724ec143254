"""Delete old comments, notes and replies; scores and tags stay."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.surveys.models import Response, ResponseEvent

_EMPTY = text("""
    UPDATE responses SET comment = NULL WHERE brand_id = :brand_id AND id IN (
        SELECT id FROM responses WHERE brand_id = :brand_id AND comment IS NOT NULL AND answered_at < :before
        ORDER BY answered_at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id
""")

_EMPTY_NOTES = text("""
    UPDATE response_events SET text = NULL WHERE brand_id = :brand_id AND id IN (
        SELECT id FROM response_events
        WHERE brand_id = :brand_id AND kind = 'noted' AND text IS NOT NULL AND at < :before
        ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id
""")

# A reply's words are in its event and in its message.
_EMPTY_REPLIES = text("""
    WITH old AS (
        SELECT id, response_id FROM response_events
        WHERE brand_id = :brand_id AND kind = 'replied' AND text IS NOT NULL AND at < :before
        ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), emptied AS (
        UPDATE messages SET template_params = '{}'
        WHERE brand_id = :brand_id AND template = 'reply' AND created_at < :before
            AND template_params <> '{}' AND subject_id IN (SELECT response_id FROM old)
    )
    UPDATE response_events SET text = NULL WHERE brand_id = :brand_id AND id IN (SELECT id FROM old)
    RETURNING id
""")


async def brands_with_old_comments(session: AsyncSession, before: datetime) -> Sequence[int]:
    """The brands that have comments from before this time."""
    rows = await session.scalars(
        select(Response.brand_id)
        .where(Response.comment.is_not(None), Response.answered_at < before)
        .distinct()
    )
    return rows.all()


async def delete_old_comments(session: AsyncSession, brand_id: int, before: datetime, limit: int) -> int:
    """Empty the comments of responses from before this time."""
    emptied = await session.scalars(_EMPTY, {"brand_id": brand_id, "before": before, "limit": limit})
    return len(emptied.all())


async def brands_with_old_notes(session: AsyncSession, before: datetime) -> Sequence[int]:
    """The brands that have notes about responses from before this time."""
    # The constants of the partial index `ix_response_events_noted`, word by word.
    noted = text("kind = 'noted' AND text IS NOT NULL")
    rows = await session.scalars(
        select(ResponseEvent.brand_id).where(noted, ResponseEvent.at < before).distinct()
    )
    return rows.all()


async def delete_old_notes(session: AsyncSession, brand_id: int, before: datetime, limit: int) -> int:
    """Empty the notes from before this time; who noted something and when stays."""
    emptied = await session.scalars(_EMPTY_NOTES, {"brand_id": brand_id, "before": before, "limit": limit})
    return len(emptied.all())


async def brands_with_old_replies(session: AsyncSession, before: datetime) -> Sequence[int]:
    """The brands that have replies to responses from before this time."""
    # As above, of `ix_response_events_replied`.
    replied = text("kind = 'replied' AND text IS NOT NULL")
    rows = await session.scalars(
        select(ResponseEvent.brand_id).where(replied, ResponseEvent.at < before).distinct()
    )
    return rows.all()


async def delete_old_replies(session: AsyncSession, brand_id: int, before: datetime, limit: int) -> int:
    """Empty the replies from before this time, in their messages too; that they were sent stays."""
    emptied = await session.scalars(_EMPTY_REPLIES, {"brand_id": brand_id, "before": before, "limit": limit})
    return len(emptied.all())
