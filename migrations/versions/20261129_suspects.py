"""Responses that a machine may have given, and brands whose team gets passives' answers too."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.base.indexes import add_index, remove_index

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.add_column(
        "brands",
        sa.Column("opens_passives", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        if_not_exists=True,
    )
    op.add_column("responses", sa.Column("suspicion", sa.Text(), nullable=True), if_not_exists=True)
    op.add_column(
        "responses",
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        if_not_exists=True,
    )
    add_index("ix_responses_suspicion", "responses (brand_id, suspicion, id) WHERE suspicion IS NOT NULL")


def downgrade() -> None:
    remove_index("ix_responses_suspicion")
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.drop_column("responses", "evidence", if_exists=True)
    op.drop_column("responses", "suspicion", if_exists=True)
    op.drop_column("brands", "opens_passives", if_exists=True)
