"""What each referrer brought, by span of time and currency."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

RANKED_BY = ("revenue", "friends", "profit")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "referrer_figures",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("span", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("friends", sa.Integer(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("revenue", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("profit", sa.BigInteger(), nullable=True),
        sa.Column("last_order_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_referrer_figures_referrers_brand_id_referrer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "referrer_id", "span", "currency", name=op.f("pk_referrer_figures")
        ),
    )
    for name in RANKED_BY:
        columns = ["brand_id", "span", "currency", name, "referrer_id", "shop_id"]
        op.create_index(f"ix_referrer_figures_{name}", "referrer_figures", columns, unique=False)
    op.create_table(
        "referrer_changes",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referrer_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_referrer_changes")),
    )
    op.create_table(
        "referrer_figure_bases",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("margin_percent", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_referrer_figure_bases_brands_brand_id")
        ),
        sa.PrimaryKeyConstraint("brand_id", name=op.f("pk_referrer_figure_bases")),
    )
    # A brand whose figures were never computed has all of them computed with its first change.
    op.execute(
        "INSERT INTO referrer_changes (brand_id, id, referrer_ids) SELECT id, gen_random_uuid(), '{}' FROM brands"
    )


def downgrade() -> None:
    op.drop_table("referrer_figure_bases")
    op.drop_table("referrer_changes")
    for name in RANKED_BY:
        op.drop_index(f"ix_referrer_figures_{name}", table_name="referrer_figures")
    op.drop_table("referrer_figures")
