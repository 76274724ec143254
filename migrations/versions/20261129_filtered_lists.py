"""Indexes in which a second filter of a long list is looked up, and one of friends' codes."""

from app.base.indexes import add_index, remove_index

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_COSTS = "account IN ('discount_cost', 'leaked_discount', 'reward_cost')"
_TESTIMONIALS = "testimonial_consent AND comment IS NOT NULL AND NOT trial"


def upgrade() -> None:
    add_index("ix_codes_friends", "codes (brand_id, id) WHERE parent_id IS NOT NULL")
    add_index("ix_responses_state_score", "responses (brand_id, state, id, score) WHERE state IS NOT NULL")
    remove_index("ix_responses_state")
    add_index("ix_responses_testimonial_score", f"responses (brand_id, id, score) WHERE {_TESTIMONIALS}")
    remove_index("ix_responses_testimonials")
    add_index(
        "ix_ledger_entries_costs_of",
        f"ledger_entries (brand_id, occurred_at, account, referrer_id) WHERE {_COSTS}",
    )
    remove_index("ix_ledger_entries_costs")


def downgrade() -> None:
    add_index("ix_ledger_entries_costs", f"ledger_entries (brand_id, occurred_at) WHERE {_COSTS}")
    remove_index("ix_ledger_entries_costs_of")
    add_index("ix_responses_testimonials", f"responses (brand_id, id) WHERE {_TESTIMONIALS}")
    remove_index("ix_responses_testimonial_score")
    add_index("ix_responses_state", "responses (brand_id, state, id) WHERE state IS NOT NULL")
    remove_index("ix_responses_state_score")
    remove_index("ix_codes_friends")
