"""A weekly mail to staff: on which day, and when the next one is due."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.add_column("staff", sa.Column("digest_day", sa.SmallInteger(), nullable=True))
    op.add_column("staff", sa.Column("digest_due_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_staff_digest",
        "staff",
        ["digest_due_at"],
        postgresql_where=sa.text("digest_due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_staff_digest", "staff")
    op.drop_column("staff", "digest_due_at")
    op.drop_column("staff", "digest_day")
