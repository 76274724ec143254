"""Rows that are written by the thousand do not look for rows that are always there."""

from alembic import op

from app.base.schema import LOCK_MILLISECONDS

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_KEYS = (
    ("customers", "brand_id", "brands", "id"),
    ("customer_references", "brand_id, shop_id", "shops", "brand_id, id"),
    ("deliveries", "brand_id, shop_id", "shops", "brand_id, id"),
    ("orders", "brand_id, shop_id", "shops", "brand_id, id"),
    ("order_facts", "brand_id, shop_id", "shops", "brand_id, id"),
    ("surveys", "brand_id, shop_id", "shops", "brand_id, id"),
    ("surveys", "brand_id, programme_version", "programmes", "brand_id, version"),
    ("messages", "brand_id, shop_id", "shops", "brand_id, id"),
    ("messages", "brand_id, customer_id", "customers", "brand_id, id"),
    ("messages", "brand_id, template_version_id", "template_versions", "brand_id, id"),
    ("attempts", "brand_id, message_id", "messages", "brand_id, id"),
)
"""Table, columns, and the table and columns that they refer to."""


def _name(table: str, columns: str, parent: str) -> str:
    return f"fk_{table}_{parent}_{columns.replace(', ', '_')}"


def upgrade() -> None:
    """Each key alone: no transaction ever holds the locks of two tables that are in use."""
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
        for table, columns, parent, _ in _KEYS:
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {_name(table, columns, parent)}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
        for table, columns, parent, at in _KEYS:
            name = _name(table, columns, parent)
            key = f"FOREIGN KEY ({columns}) REFERENCES {parent} ({at})"
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {key} NOT VALID")
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
