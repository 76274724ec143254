"""Replies to responses; a list of a rare channel has an index."""

import sqlalchemy as sa
from alembic import op

from app.base.indexes import add_index, remove_index

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.add_column(
        "responses",
        sa.Column("replying", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        if_not_exists=True,
    )
    add_index("ix_responses_replying", "responses (brand_id, id) WHERE replying")
    add_index("ix_responses_channel", "responses (brand_id, channel, id)")
    add_index(
        "ix_response_events_replied",
        "response_events (at, brand_id) WHERE kind = 'replied' AND text IS NOT NULL",
    )


def downgrade() -> None:
    remove_index("ix_response_events_replied")
    remove_index("ix_responses_channel")
    remove_index("ix_responses_replying")
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.drop_column("responses", "replying", if_exists=True)
