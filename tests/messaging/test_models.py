from sqlalchemy import text

from app.messaging.rules import NORMAL_STATUSES, MessageStatus

EXCEPTIONS = {
    MessageStatus.unknown,
    MessageStatus.review,
    MessageStatus.failed,
    MessageStatus.suppressed,
    MessageStatus.cancelled,
    MessageStatus.dismissed,
    MessageStatus.bounced,
    MessageStatus.complained,
}
"""The statuses that lists look for among many messages.

Where a new one belongs is to be decided: one that most messages go through makes sending slower in
the index, a rare one outside it is slow to list."""


def test_each_status_is_normal_or_an_exception():
    assert set(NORMAL_STATUSES) | EXCEPTIONS == set(MessageStatus)
    assert not set(NORMAL_STATUSES) & EXCEPTIONS


async def test_the_index_by_status_holds_each_exception_and_nothing_else(session):
    condition = await session.scalar(
        text(
            "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indexrelid = CAST(:name AS regclass)"
        ),
        {"name": "ix_messages_exceptions"},
    )
    held = await session.scalars(
        text(f"SELECT status FROM unnest(CAST(:every AS text[])) AS messages (status) WHERE {condition}"),
        {"every": [status.value for status in MessageStatus]},
    )
    assert set(held) == EXCEPTIONS
