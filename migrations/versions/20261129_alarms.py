"""Alarms: what is wrong with a brand, whom it was mailed to, and calls of its webhook."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _created_at() -> sa.Column[object]:
    return sa.Column(
        "created_at",
        sa.DateTime(timezone=True),
        server_default=sa.text("clock_timestamp()"),
        nullable=False,
    )


def _brand_id() -> sa.Column[object]:
    return sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False)


def _of_alarm(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["brand_id", "alarm_id"],
        ["alarms.brand_id", "alarms.id"],
        name=op.f(f"fk_{table}_alarms_brand_id_alarm_id"),
    )


def _of_brand(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f(f"fk_{table}_brands_brand_id"))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "alarms",
        _brand_id(),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("solved_at", sa.DateTime(timezone=True), nullable=True),
        _created_at(),
        _of_brand("alarms"),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_alarms")),
    )
    op.create_index(
        "uq_alarms_unsolved",
        "alarms",
        ["brand_id", "kind", "subject"],
        unique=True,
        postgresql_where=sa.text("solved_at IS NULL"),
    )
    op.create_table(
        "alarm_notices",
        _brand_id(),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alarm_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        _created_at(),
        _of_alarm("alarm_notices"),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_alarm_notices")),
        sa.UniqueConstraint(
            "brand_id", "alarm_id", "staff_id", name=op.f("uq_alarm_notices_brand_id_alarm_id_staff_id")
        ),
    )
    op.create_index("ix_alarm_notices_staff", "alarm_notices", ["brand_id", "staff_id"])
    op.create_table(
        "alarm_settings",
        _brand_id(),
        sa.Column("check_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("no_survey_hours", sa.Integer(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("sealed_webhook_secret", sa.Text(), nullable=True),
        _created_at(),
        _of_brand("alarm_settings"),
        sa.PrimaryKeyConstraint("brand_id", name=op.f("pk_alarm_settings")),
    )
    op.create_index("ix_alarm_settings_check", "alarm_settings", ["check_due_at"])
    op.create_table(
        "alarm_calls",
        _brand_id(),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alarm_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        _created_at(),
        _of_alarm("alarm_calls"),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_alarm_calls")),
        sa.UniqueConstraint(
            "brand_id", "alarm_id", "event", name=op.f("uq_alarm_calls_brand_id_alarm_id_event")
        ),
    )
    op.create_index(
        "ix_alarm_calls_due",
        "alarm_calls",
        ["brand_id", "due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def downgrade() -> None:
    for table in ("alarm_calls", "alarm_notices", "alarm_settings", "alarms"):
        op.drop_table(table)
