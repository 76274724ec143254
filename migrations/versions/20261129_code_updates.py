"""When each code was issued, used, disabled or erased last; present ones begin with this moment."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    # With one value for all rows that are there the table is not written anew.
    op.add_column(
        "codes",
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        if_not_exists=True,
    )
    op.alter_column("codes", "updated_at", server_default=sa.text("clock_timestamp()"))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.drop_column("codes", "updated_at", if_exists=True)
