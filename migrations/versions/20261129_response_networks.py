"""From which network a page came that nobody can have read, so that every process finds bursts."""

import sqlalchemy as sa
from alembic import op

from app.base.indexes import add_index, remove_index

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.add_column("responses", sa.Column("network", sa.Integer(), nullable=True), if_not_exists=True)
    add_index(
        "ix_responses_network",
        "responses (brand_id, network, first_answered_at) WHERE network IS NOT NULL",
    )


def downgrade() -> None:
    remove_index("ix_responses_network")
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.drop_column("responses", "network", if_exists=True)
