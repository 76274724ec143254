"""Days of the ledger added up, and the indexes by which its entries are read."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_NO_DISCOUNT = "account IN ('leaked_discount', 'reward_cost', 'referrers', 'spent_rewards', 'lapsed_rewards')"
_INDEXES = {
    "ix_ledger_entries_account": f"(brand_id, account, id) INCLUDE (currency, amount, posted_on) WHERE {_NO_DISCOUNT}",
    "ix_ledger_entries_referrer": f"(brand_id, referrer_id, id) INCLUDE (account, currency, amount) WHERE {_NO_DISCOUNT}",
    "ix_ledger_entries_kind": "(brand_id, cause_kind, id) WHERE cause_kind <> 'redemption'",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "ledger_days",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_ledger_days_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "day", "account", "currency", name=op.f("pk_ledger_days")),
    )
    # Built beside the running system: nobody who posts waits. One that an earlier try left unusable
    # is built anew.
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        for name, columns in _INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON ledger_entries {columns}")
        op.execute("SET lock_timeout = '1s'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    for name in _INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.drop_table("ledger_days")
