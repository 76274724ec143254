"""New customers' words are sorted into their index less often, many at once."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _set_limit(1024)


def downgrade() -> None:
    _set_limit(256)


def _set_limit(kilobytes: int) -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    # Nobody who reads or writes waits for it.
    op.execute(f"ALTER INDEX ix_customers_words SET (gin_pending_list_limit = {kilobytes})")
