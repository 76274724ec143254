"""Files of orders are uploaded, and read by the workers; what they refuse of them is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    for name, kind in (
        ("size", sa.BigInteger()),
        ("position", sa.BigInteger()),
        ("due_at", sa.DateTime(timezone=True)),
        ("leased_until", sa.DateTime(timezone=True)),
        ("problem", sa.Text()),
    ):
        op.add_column("order_imports", sa.Column(name, kind, nullable=True))
    # One row a file: the table is small.
    op.create_index(
        "ix_order_imports_due",
        "order_imports",
        ["due_at", "brand_id"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    _of_import("order_import_parts", "number", sa.Column("content", sa.LargeBinary(), nullable=False))
    _of_import("order_import_refusals", "line", sa.Column("reason", sa.Text(), nullable=False))


def _of_import(table: str, key: str, column: sa.Column[object]) -> None:
    op.create_table(
        table,
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column(key, sa.Integer(), autoincrement=False, nullable=False),
        column,
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "import_id"],
            ["order_imports.brand_id", "order_imports.id"],
            name=op.f(f"fk_{table}_order_imports_brand_id_import_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("brand_id", "import_id", key, name=op.f(f"pk_{table}")),
    )


def downgrade() -> None:
    op.drop_table("order_import_refusals")
    op.drop_table("order_import_parts")
    op.drop_index("ix_order_imports_due", "order_imports")
    for name in ("problem", "leased_until", "due_at", "position", "size"):
        op.drop_column("order_imports", name)
