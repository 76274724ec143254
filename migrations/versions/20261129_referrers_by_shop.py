"""Lists of one shop's referrers and of their codes have an index."""

from app.base.indexes import add_index, remove_index

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_index("ix_referrers_shop", "referrers (brand_id, shop_id, id)")


def downgrade() -> None:
    remove_index("ix_referrers_shop")
