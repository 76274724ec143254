"""Write the first migration from the models; run it while the schema may still change in place.

Run: uv run python migrations/write_first_schema.py

Once a version is released its migration file is frozen, and changes are migrations of their own.
"""

import asyncio
import subprocess
import tempfile
from pathlib import Path

from alembic.autogenerate import api, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import app.models  # noqa: F401  # adds every table to the metadata
from app.base.db import Base, async_url
from app.base.embedded import start_embedded, stop_embedded

FILE = Path(__file__).parent / "versions" / "20261128_first_schema.py"
HEAD = '''"""First schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = None
branch_labels = None
depends_on = None

# Rows that are facts are only ever added. On one machine a trigger holds everybody to it; where
# triggers are refused (Citus), `tenfold invariants` checks it.
APPEND_ONLY = ("ledger_entries", "terms", "audit_entries")


def upgrade() -> None:
    # A migration waits no longer than this for a lock, so that it never blocks the running system;
    # `app.base.schema` tries again.
    op.execute("SET LOCAL lock_timeout = '1s'")
'''
AFTER_UPGRADE = '''    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only; write a compensating row', TG_TABLE_NAME;
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute("INSERT INTO installations (number, id) VALUES (1, gen_random_uuid())")
'''
DOWNGRADE = """

def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
"""
AFTER_DOWNGRADE = '    op.execute("DROP FUNCTION refuse_change()")\n'


def operations(connection: Connection) -> tuple[str, str]:
    """The operations that make and drop every table, as Python source."""
    context = MigrationContext.configure(connection, opts={"target_metadata": Base.metadata})
    script = api.produce_migrations(context, Base.metadata)
    assert script.upgrade_ops is not None
    assert script.downgrade_ops is not None
    return render_python_code(script.upgrade_ops), render_python_code(script.downgrade_ops)


async def compare_with_nothing() -> tuple[str, str]:
    """The operations that turn an empty database into the models and back."""
    with tempfile.TemporaryDirectory() as home:
        engine = create_async_engine(async_url(start_embedded(Path(home))))
        async with engine.connect() as connection:
            up_and_down = await connection.run_sync(operations)
        await engine.dispose()
        stop_embedded(Path(home))
    return up_and_down


def _code(rendered: str) -> str:
    rendered = rendered.replace("astext_type=Text()", "astext_type=sa.Text()")
    rendered = rendered.replace("app.base.db.EnumText()", "sa.Text()")
    rendered = rendered.replace("postgresql.ARRAY(", "postgresql.ARRAY(sa.")
    lines = [line for line in rendered.splitlines() if not line.lstrip().startswith("#")]
    return "".join(f"    {line}\n" if not line.startswith("    ") else f"{line}\n" for line in lines)


up, down = asyncio.run(compare_with_nothing())
FILE.write_text(HEAD + _code(up) + AFTER_UPGRADE + DOWNGRADE + _code(down) + AFTER_DOWNGRADE)
subprocess.run(["ruff", "format", "--quiet", str(FILE)], check=True)
