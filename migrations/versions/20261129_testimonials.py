"""A list of testimonials has an index."""

from app.base.indexes import add_index, remove_index

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_index(
        "ix_responses_testimonials",
        "responses (brand_id, id) WHERE testimonial_consent AND comment IS NOT NULL AND NOT trial",
    )


def downgrade() -> None:
    remove_index("ix_responses_testimonials")
