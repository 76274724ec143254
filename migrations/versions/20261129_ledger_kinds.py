"""The list of the ledger by kind of cause finds the entries of one account in its index."""

from app.base.indexes import add_index, remove_index

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_KINDS = "cause_kind <> 'redemption'"


def upgrade() -> None:
    add_index(
        "ix_ledger_entries_kind_account", f"ledger_entries (brand_id, cause_kind, id, account) WHERE {_KINDS}"
    )
    remove_index("ix_ledger_entries_kind")


def downgrade() -> None:
    add_index("ix_ledger_entries_kind", f"ledger_entries (brand_id, cause_kind, id) WHERE {_KINDS}")
    remove_index("ix_ledger_entries_kind_account")
