"""Indexes for the figures of a period."""

from app.base.indexes import add_index, remove_index

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_COSTS = "account IN ('discount_cost', 'leaked_discount', 'reward_cost')"


def upgrade() -> None:
    add_index("ix_ledger_entries_costs", f"ledger_entries (brand_id, occurred_at) WHERE {_COSTS}")
    add_index("ix_redemptions_approved", "redemptions (brand_id, approved_at) WHERE status = 'approved'")


def downgrade() -> None:
    remove_index("ix_redemptions_approved")
    remove_index("ix_ledger_entries_costs")
