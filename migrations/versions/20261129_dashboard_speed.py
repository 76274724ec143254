"""Indexes for lists that were read to their end: waiting answers, a shop's answers, own codes."""

from app.base.indexes import add_index, remove_index

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_IS_OPEN = "(state = 'open' OR state IS NULL AND score <= 6 AND NOT trial)"


def upgrade() -> None:
    add_index(
        "ix_responses_waiting",
        f"responses (brand_id, id) WHERE {_IS_OPEN} AND (suspicion IS NULL OR suspicion = 'real')",
    )
    remove_index("ix_responses_open")
    add_index("ix_surveys_answered", "surveys (brand_id, shop_id, id) WHERE status = 'answered'")
    add_index("ix_codes_rewards", "codes (brand_id, id) WHERE kind = 'reward'")


def downgrade() -> None:
    remove_index("ix_codes_rewards")
    remove_index("ix_surveys_answered")
    add_index("ix_responses_open", f"responses (brand_id, id) WHERE {_IS_OPEN}")
    remove_index("ix_responses_waiting")
