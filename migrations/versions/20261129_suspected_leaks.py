"""Codes that are taken for leaked; lists of codes by a rare state have indexes."""

import sqlalchemy as sa
from alembic import op

from app.base.indexes import add_index, remove_index

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "suspected_leaks",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("turned_away", sa.Integer(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "code_id"],
            ["codes.brand_id", "codes.id"],
            name=op.f("fk_suspected_leaks_codes_brand_id_code_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "code_id", name=op.f("pk_suspected_leaks")),
        if_not_exists=True,
    )
    add_index("ix_codes_disabled", "codes (brand_id, id) WHERE disabled_at IS NOT NULL")
    add_index("ix_codes_ended", "codes (brand_id, expires_at, id) WHERE active AND kind = 'share'")
    add_index(
        "ix_code_publications_not_live",
        "code_publications (brand_id, code_id) WHERE issued_id IS NOT NULL"
        " AND state IN ('wanted', 'sending', 'failed')",
    )


def downgrade() -> None:
    remove_index("ix_code_publications_not_live")
    remove_index("ix_codes_ended")
    remove_index("ix_codes_disabled")
    op.drop_table("suspected_leaks")
