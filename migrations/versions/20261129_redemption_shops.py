"""Redemptions name the shop of their order, so that a list of one shop has an index."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_SLICE = 5_000
"""Rows that are written at once; each slice is a transaction of its own."""
_FILL = """
    WITH slice AS (
        SELECT brand_id, id, order_id FROM redemptions
        WHERE brand_id = :brand AND id > CAST(:after AS uuid) ORDER BY id LIMIT :slice
    ), filled AS (
        UPDATE redemptions SET shop_id = orders.shop_id
        FROM slice JOIN orders ON orders.brand_id = slice.brand_id AND orders.id = slice.order_id
        WHERE redemptions.brand_id = :brand AND redemptions.id = slice.id AND redemptions.shop_id IS NULL
    )
    SELECT id FROM slice ORDER BY id DESC LIMIT 1
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    # A former try may have come this far.
    op.execute("ALTER TABLE redemptions ADD COLUMN IF NOT EXISTS shop_id uuid")
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        connection = op.get_bind()
        for brand in connection.scalars(sa.text("SELECT id FROM brands ORDER BY id")).all():
            after: object = "00000000-0000-0000-0000-000000000000"
            while after is not None:
                given = {"brand": brand, "after": after, "slice": _SLICE}
                after = connection.scalar(sa.text(_FILL), given)
        op.drop_index("ix_redemptions_shop", "redemptions", postgresql_concurrently=True, if_exists=True)
        op.create_index(
            "ix_redemptions_shop", "redemptions", ["brand_id", "shop_id", "id"], postgresql_concurrently=True
        )
        op.execute("SET lock_timeout = '1s'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.drop_index("ix_redemptions_shop", "redemptions")
    op.drop_column("redemptions", "shop_id")
