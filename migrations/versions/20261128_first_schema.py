"""First schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = None
branch_labels = None
depends_on = None

# Rows that are facts are only ever added. On one machine a trigger holds everybody to it; where
# triggers are refused (Citus), `tenfold invariants` checks it.
APPEND_ONLY = ("ledger_entries", "terms", "audit_entries")


def upgrade() -> None:
    # A migration waits no longer than this for a lock, so that it never blocks the running system;
    # `app.base.schema` tries again.
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.create_table(
        "brands",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("address_form", sa.Text(), nullable=False),
        sa.Column("postal_address", sa.Text(), nullable=False),
        sa.Column("email_from", sa.Text(), nullable=True),
        sa.Column("domains", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("privacy_url", sa.Text(), nullable=True),
        sa.Column("terms_url", sa.Text(), nullable=True),
        sa.Column("imprint_url", sa.Text(), nullable=True),
        sa.Column("branding", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("countries", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("text_changes", sa.Integer(), nullable=False),
        sa.Column("margin_percent", sa.Integer(), nullable=True),
        sa.Column("default_reward", sa.Text(), nullable=False),
        sa.Column("names_reward", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brands")),
        sa.UniqueConstraint("slug", name=op.f("uq_brands_slug")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sees_people", sa.Boolean(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("brand_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "installations",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fenced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_installations")),
    )
    op.create_table(
        "journal_positions",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("writer", name=op.f("pk_journal_positions")),
    )
    op.create_table(
        "provider_circuits",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_circuits")),
    )
    op.create_table(
        "secret_keys",
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_root", sa.Text(), nullable=True),
        sa.Column("current_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_secret_keys")),
    )
    op.create_table(
        "template_versions",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_template_versions")),
    )
    op.create_table(
        "api_keys",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_api_keys_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_audit_entries_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_audit_entries")),
    )
    op.create_index("ix_audit_entries_action", "audit_entries", ["brand_id", "action", "id"], unique=False)
    op.create_index("ix_audit_entries_actor", "audit_entries", ["brand_id", "actor_id", "id"], unique=False)
    op.create_index("ix_audit_entries_subject", "audit_entries", ["brand_id", "subject_id"], unique=False)
    op.create_table(
        "brand_images",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_brand_images_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "file", name=op.f("pk_brand_images")),
    )
    op.create_table(
        "customers",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("email_key", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("phone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("phone_agreed", sa.Boolean(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("first_name_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("last_name_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locale", sa.Text(), nullable=True),
        sa.Column("locale_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("time_zone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("country_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("country_own", sa.Boolean(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_customers_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_customers")),
    )
    op.create_index(
        "ix_customers_email_key",
        "customers",
        ["brand_id", "email_key"],
        unique=False,
        postgresql_where=sa.text("email_key IS NOT NULL"),
    )
    op.create_index(
        "ix_customers_phone",
        "customers",
        ["brand_id", "phone"],
        unique=False,
        postgresql_where=sa.text("phone IS NOT NULL"),
    )
    op.create_index(
        "uq_customers_email",
        "customers",
        ["brand_id", "email"],
        unique=True,
        postgresql_where=sa.text("email IS NOT NULL"),
    )
    op.create_index(
        "uq_customers_phone_alone",
        "customers",
        ["brand_id", "phone"],
        unique=True,
        postgresql_where=sa.text("email IS NULL AND phone IS NOT NULL"),
    )
    op.create_table(
        "domain_events",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_domain_events_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_domain_events")),
    )
    op.create_table(
        "event_tasks",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_event_tasks_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "event_id", "consumer", name=op.f("pk_event_tasks")),
    )
    op.create_index(
        op.f("ix_event_tasks_brand_id_consumer_due_at"),
        "event_tasks",
        ["brand_id", "consumer", "due_at"],
        unique=False,
    )
    op.create_table(
        "provider_accounts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("sealed_credentials", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_provider_accounts_brands_brand_id")
        ),
        sa.PrimaryKeyConstraint("brand_id", "channel", name=op.f("pk_provider_accounts")),
    )
    op.create_index("ix_provider_accounts_account", "provider_accounts", ["account"], unique=False)
    op.create_table(
        "shop_slugs",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_shop_slugs_brands_brand_id")),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_shop_slugs")),
    )
    op.create_table(
        "shops",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("platform_settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed_secrets", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_shops_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_shops")),
        sa.UniqueConstraint("brand_id", "slug", name=op.f("uq_shops_brand_id_slug")),
    )
    op.create_table(
        "staff",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("shop_ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_proven", sa.Boolean(), nullable=False),
        sa.Column("sealed_totp", sa.Text(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("recovery_hashes", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_staff_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_staff")),
        sa.UniqueConstraint("brand_id", "email", name=op.f("uq_staff_brand_id_email")),
    )
    op.create_index("ix_staff_email", "staff", ["email"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address_key", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("journaled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_suppressions_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_suppressions")),
    )
    op.create_index(
        "ix_suppressions_address", "suppressions", ["brand_id", "channel", "address_key"], unique=False
    )
    op.create_index(
        "ix_suppressions_journal",
        "suppressions",
        ["brand_id"],
        unique=False,
        postgresql_where=sa.text("NOT journaled"),
    )
    op.create_index(
        "uq_suppressions_in_force",
        "suppressions",
        ["brand_id", "channel", "address_key", "reason"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "template_texts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("blocks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_template_texts_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "template", "locale", "version", name=op.f("pk_template_texts")),
    )
    op.create_table(
        "terms",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reward", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_terms_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_terms")),
    )
    op.create_table(
        "audit_values",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["brand_id", "entry_id"],
            ["audit_entries.brand_id", "audit_entries.id"],
            name=op.f("fk_audit_values_audit_entries_brand_id_entry_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "entry_id", "field", name=op.f("pk_audit_values")),
    )
    op.create_table(
        "consent_facts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("opt_in_level", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_consent_facts_customers_brand_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "customer_id", "channel", "at", "given", name=op.f("pk_consent_facts")
        ),
    )
    op.create_table(
        "customer_references",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_customer_references_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_customer_references_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "shop_id", "external_id", name=op.f("pk_customer_references")),
    )
    op.create_index(
        "ix_customer_references_customer", "customer_references", ["brand_id", "customer_id"], unique=False
    )
    op.create_table(
        "deliveries",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_deliveries_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "brand_id",
            "shop_id",
            "external_id",
            "source",
            "body_hash",
            name=op.f("uq_deliveries_brand_id_shop_id_external_id_source_body_hash"),
        ),
    )
    op.create_index(
        "ix_deliveries_new",
        "deliveries",
        ["brand_id", "sequence"],
        unique=False,
        postgresql_where=sa.text("status = 'new'"),
    )
    op.create_index(
        "ix_deliveries_retained",
        "deliveries",
        ["received_at", "brand_id"],
        unique=False,
        postgresql_where=sa.text("body <> '' AND status IN ('processed', 'ignored', 'failed')"),
    )
    op.create_index("ix_deliveries_status", "deliveries", ["brand_id", "status", "id"], unique=False)
    op.create_table(
        "deliveries_customers",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_deliveries_customers_customers_brand_id_customer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "delivery_id", "customer_id", name=op.f("pk_deliveries_customers")
        ),
    )
    op.create_index(
        "ix_deliveries_customers_customer", "deliveries_customers", ["brand_id", "customer_id"], unique=False
    )
    op.create_table(
        "erased_identities",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("identity_key", sa.LargeBinary(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("journaled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_erased_identities_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id"], ["brands.id"], name=op.f("fk_erased_identities_brands_brand_id")
        ),
        sa.PrimaryKeyConstraint("brand_id", "identity_key", name=op.f("pk_erased_identities")),
    )
    op.create_index(
        "ix_erased_identities_erased_at", "erased_identities", ["erased_at", "brand_id"], unique=False
    )
    op.create_index(
        "ix_erased_identities_journal",
        "erased_identities",
        ["brand_id"],
        unique=False,
        postgresql_where=sa.text("NOT journaled"),
    )
    op.create_index(
        "ix_erased_identities_sequence", "erased_identities", ["brand_id", "sequence"], unique=False
    )
    op.create_table(
        "erasures",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("shop_id", sa.Uuid(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("passes", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_erasures_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_erasures_shops_brand_id_shop_id"),
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_erasures_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_erasures")),
    )
    op.create_index(
        "ix_erasures_due",
        "erasures",
        ["brand_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_erasures_sequence", "erasures", ["brand_id", "sequence"], unique=False)
    op.create_table(
        "former_references",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_former_references_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_former_references_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint(
            "brand_id", "shop_id", "external_id", "customer_id", name=op.f("pk_former_references")
        ),
    )
    op.create_index(
        "ix_former_references_customer", "former_references", ["brand_id", "customer_id"], unique=False
    )
    op.create_table(
        "login_links",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mailed", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "staff_id"],
            ["staff.brand_id", "staff.id"],
            name=op.f("fk_login_links_staff_brand_id_staff_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_login_links")),
    )
    op.create_table(
        "messages",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("template_params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("template_version_id", sa.LargeBinary(), nullable=True),
        sa.Column("at_once", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("unknowns", sa.SmallInteger(), nullable=False),
        sa.Column("refusals", sa.SmallInteger(), nullable=False),
        sa.Column("possible_duplicate", sa.Boolean(), nullable=False),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_messages_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_messages_shops_brand_id_shop_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "template_version_id"],
            ["template_versions.brand_id", "template_versions.id"],
            name=op.f("fk_messages_template_versions_brand_id_template_version_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "brand_id",
            "template",
            "subject_id",
            "step",
            "channel",
            name=op.f("uq_messages_brand_id_template_subject_id_step_channel"),
        ),
    )
    op.create_index("ix_messages_customer", "messages", ["brand_id", "customer_id"], unique=False)
    op.create_index(
        "ix_messages_due",
        "messages",
        ["brand_id", "priority", "due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'planned'"),
    )
    op.create_index(
        "ix_messages_exceptions",
        "messages",
        ["brand_id", "status", "id"],
        unique=False,
        postgresql_where=sa.text("status NOT IN ('planned', 'sending', 'accepted', 'delivered')"),
    )
    op.create_index(
        "ix_messages_sending",
        "messages",
        ["brand_id", "claimed_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('sending', 'unknown')"),
    )
    op.create_table(
        "order_facts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("order_external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("dispute", sa.Text(), nullable=True),
        sa.Column("shipping", sa.Numeric(), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_order_facts_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_order_facts")),
        sa.UniqueConstraint(
            "brand_id",
            "shop_id",
            "order_external_id",
            "kind",
            "key",
            name=op.f("uq_order_facts_brand_id_shop_id_order_external_id_kind_key"),
        ),
    )
    op.create_table(
        "order_imports",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("history", sa.Boolean(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("unpaid", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_order_imports_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_order_imports")),
        sa.UniqueConstraint(
            "brand_id",
            "shop_id",
            "content_hash",
            "format",
            "history",
            name=op.f("uq_order_imports_brand_id_shop_id_content_hash_format_history"),
        ),
    )
    op.create_table(
        "orders",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("buyer_key", sa.LargeBinary(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("discount_total", sa.BigInteger(), nullable=False),
        sa.Column("shipping_total", sa.BigInteger(), nullable=False),
        sa.Column("refunded_wholly", sa.Boolean(), nullable=False),
        sa.Column("discount_codes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "discount_amounts", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("referral", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("tags", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("address_key", sa.LargeBinary(), nullable=True),
        sa.Column("payment_key", sa.LargeBinary(), nullable=True),
        sa.Column("confirmation_key", sa.LargeBinary(), nullable=True),
        sa.Column("ordered_before", sa.Boolean(), nullable=False),
        sa.Column("relayed", sa.Boolean(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("history", sa.Boolean(), nullable=False),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stated_at", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("fulfilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("refunded_shipping", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("dispute", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_orders_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_orders_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "brand_id", "shop_id", "external_id", name=op.f("uq_orders_brand_id_shop_id_external_id")
        ),
    )
    op.create_index(
        "ix_orders_buyer",
        "orders",
        ["brand_id", "buyer_key"],
        unique=False,
        postgresql_where=sa.text("buyer_key IS NOT NULL"),
    )
    op.create_index("ix_orders_customer", "orders", ["brand_id", "customer_id", "placed_at"], unique=False)
    op.create_index("ix_orders_number", "orders", ["brand_id", "number"], unique=False)
    op.create_index("ix_orders_placed_at", "orders", ["brand_id", "placed_at"], unique=False)
    op.create_table(
        "programmes",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terms_id", sa.Uuid(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "terms_id"],
            ["terms.brand_id", "terms.id"],
            name=op.f("fk_programmes_terms_brand_id_terms_id"),
        ),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=op.f("fk_programmes_brands_brand_id")),
        sa.PrimaryKeyConstraint("brand_id", "version", name=op.f("pk_programmes")),
    )
    op.create_table(
        "shop_connections",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sealed_credentials", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("check_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("notes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("webhooks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("holds_credit", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_shop_connections_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "shop_id", name=op.f("pk_shop_connections")),
        sa.UniqueConstraint("brand_id", "account", name=op.f("uq_shop_connections_brand_id_account")),
    )
    op.create_table(
        "shop_discounts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("terms_id", sa.Uuid(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("first_code_id", sa.Uuid(), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("progress", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_shop_discounts_shops_brand_id_shop_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "terms_id"],
            ["terms.brand_id", "terms.id"],
            name=op.f("fk_shop_discounts_terms_brand_id_terms_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "shop_id", "terms_id", name=op.f("pk_shop_discounts")),
    )
    op.create_index("ix_shop_discounts_check", "shop_discounts", ["check_due_at", "brand_id"], unique=False)
    op.create_table(
        "shop_publishing",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holds_credit", sa.Boolean(), nullable=False),
        sa.Column("upkeep_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_shop_publishing_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "shop_id", name=op.f("pk_shop_publishing")),
    )
    op.create_table(
        "shop_syncs",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("history", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_shop_syncs_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "shop_id", name=op.f("pk_shop_syncs")),
    )
    op.create_index("ix_shop_syncs_due", "shop_syncs", ["due_at", "brand_id"], unique=False)
    op.create_table(
        "staff_sessions",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "staff_id"],
            ["staff.brand_id", "staff.id"],
            name=op.f("fk_staff_sessions_staff_brand_id_staff_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_staff_sessions")),
    )
    op.create_table(
        "attempts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "message_id"],
            ["messages.brand_id", "messages.id"],
            name=op.f("fk_attempts_messages_brand_id_message_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_attempts")),
        sa.UniqueConstraint(
            "brand_id", "message_id", "number", name=op.f("uq_attempts_brand_id_message_id_number")
        ),
    )
    op.create_index(
        "ix_attempts_provider_ref",
        "attempts",
        ["provider_ref"],
        unique=False,
        postgresql_where=sa.text("provider_ref IS NOT NULL"),
    )
    op.create_table(
        "data_requests",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "delivery_id"],
            ["deliveries.brand_id", "deliveries.id"],
            name=op.f("fk_data_requests_deliveries_brand_id_delivery_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_data_requests_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_data_requests")),
        sa.UniqueConstraint(
            "brand_id", "shop_id", "external_id", name=op.f("uq_data_requests_brand_id_shop_id_external_id")
        ),
    )
    op.create_table(
        "delivery_fetches",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "delivery_id"],
            ["deliveries.brand_id", "deliveries.id"],
            name=op.f("fk_delivery_fetches_deliveries_brand_id_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("brand_id", "delivery_id", name=op.f("pk_delivery_fetches")),
    )
    op.create_index(
        "ix_delivery_fetches_due",
        "delivery_fetches",
        ["brand_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "surveys",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cause_kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("programme_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("triggered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deferred_reason", sa.Text(), nullable=True),
        sa.Column("deferrals", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminders_sent", sa.Integer(), nullable=False),
        sa.Column("reminder_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'skipped') = (reason IS NOT NULL)", name=op.f("ck_surveys_skip_has_reason")
        ),
        sa.CheckConstraint(
            "cause_kind <> 'order' OR (order_id IS NOT NULL AND order_id = cause_id)",
            name=op.f("ck_surveys_order_is_cause"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_surveys_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "order_id"],
            ["orders.brand_id", "orders.id"],
            name=op.f("fk_surveys_orders_brand_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "programme_version"],
            ["programmes.brand_id", "programmes.version"],
            name=op.f("fk_surveys_programmes_brand_id_programme_version"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_surveys_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_surveys")),
        sa.UniqueConstraint(
            "brand_id", "cause_id", "cause_kind", name=op.f("uq_surveys_brand_id_cause_id_cause_kind")
        ),
    )
    op.create_index("ix_surveys_customer", "surveys", ["brand_id", "customer_id", "queued_at"], unique=False)
    op.create_index(
        "ix_surveys_due",
        "surveys",
        ["brand_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'planned'"),
    )
    op.create_index(
        "ix_surveys_expiry",
        "surveys",
        ["brand_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'sent')"),
    )
    op.create_index(
        "ix_surveys_occasion",
        "surveys",
        ["brand_id", "triggered_at"],
        unique=False,
        postgresql_where=sa.text("cause_kind <> 'order'"),
    )
    op.create_index(
        "ix_surveys_reminder",
        "surveys",
        ["brand_id", "reminder_due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'sent'"),
    )
    op.create_index("ix_surveys_status", "surveys", ["brand_id", "status", "id"], unique=False)
    op.create_index(
        "ix_surveys_trial", "surveys", ["brand_id", "id"], unique=False, postgresql_where=sa.text("trial")
    )
    op.create_table(
        "outbox",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "id"],
            ["attempts.brand_id", "attempts.id"],
            name=op.f("fk_outbox_attempts_brand_id_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"], unique=False)
    op.create_table(
        "provider_events",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "attempt_id"],
            ["attempts.brand_id", "attempts.id"],
            name=op.f("fk_provider_events_attempts_brand_id_attempt_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_provider_events")),
        sa.UniqueConstraint(
            "brand_id",
            "provider",
            "external_id",
            name=op.f("uq_provider_events_brand_id_provider_external_id"),
        ),
    )
    op.create_index("ix_provider_events_attempt", "provider_events", ["brand_id", "attempt_id"], unique=False)
    op.create_table(
        "referrers",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("survey_id", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_referrers_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_referrers_shops_brand_id_shop_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "survey_id"],
            ["surveys.brand_id", "surveys.id"],
            name=op.f("fk_referrers_surveys_brand_id_survey_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_referrers")),
        sa.UniqueConstraint("brand_id", "customer_id", name=op.f("uq_referrers_brand_id_customer_id")),
        sa.UniqueConstraint("brand_id", "slug", name=op.f("uq_referrers_brand_id_slug")),
    )
    op.create_index("ix_referrers_survey", "referrers", ["brand_id", "survey_id"], unique=False)
    op.create_table(
        "responses",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("survey_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("testimonial_consent", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("score BETWEEN 0 AND 10", name=op.f("ck_responses_score_0_to_10")),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_responses_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "order_id"],
            ["orders.brand_id", "orders.id"],
            name=op.f("fk_responses_orders_brand_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "survey_id"],
            ["surveys.brand_id", "surveys.id"],
            name=op.f("fk_responses_surveys_brand_id_survey_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_responses")),
        sa.UniqueConstraint("brand_id", "survey_id", name=op.f("uq_responses_brand_id_survey_id")),
    )
    op.create_index("ix_responses_answered_at", "responses", ["brand_id", "answered_at"], unique=False)
    op.create_index(
        "ix_responses_assignee",
        "responses",
        ["brand_id", "assignee_id", "id"],
        unique=False,
        postgresql_where=sa.text("assignee_id IS NOT NULL"),
    )
    op.create_index(
        "ix_responses_commented",
        "responses",
        ["answered_at", "brand_id"],
        unique=False,
        postgresql_where=sa.text("comment IS NOT NULL"),
    )
    op.create_index(
        "ix_responses_customer", "responses", ["brand_id", "customer_id", "answered_at"], unique=False
    )
    op.create_index(
        "ix_responses_open",
        "responses",
        ["brand_id", "id"],
        unique=False,
        postgresql_where=sa.text("(state = 'open' OR state IS NULL AND score <= 6 AND NOT trial)"),
    )
    op.create_index(
        "ix_responses_state",
        "responses",
        ["brand_id", "state", "id"],
        unique=False,
        postgresql_where=sa.text("state IS NOT NULL"),
    )
    op.create_index(
        "ix_responses_words",
        "responses",
        [sa.literal_column("to_tsvector('simple', comment)")],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("comment IS NOT NULL"),
    )
    op.create_table(
        "withheld_offers",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("survey_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "customer_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_withheld_offers_customers_brand_id_customer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "survey_id"],
            ["surveys.brand_id", "surveys.id"],
            name=op.f("fk_withheld_offers_surveys_brand_id_survey_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_withheld_offers")),
        sa.UniqueConstraint(
            "brand_id",
            "customer_id",
            "survey_id",
            "reason",
            "channel",
            name="uq_withheld_offers",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "codes",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.Uuid(), nullable=False),
        sa.Column("discount_kind", sa.Text(), nullable=False),
        sa.Column("discount_value", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("minimum_subtotal", sa.Numeric(), nullable=True),
        sa.Column("max_uses", sa.Integer(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("redeemable", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_key", sa.LargeBinary(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(kind = 'friend') = (parent_id IS NOT NULL)", name=op.f("ck_codes_friend_has_parent")
        ),
        sa.CheckConstraint(
            "redeemable OR kind = 'share'", name=op.f("ck_codes_only_share_is_not_redeemable")
        ),
        sa.CheckConstraint("uses BETWEEN 0 AND max_uses", name=op.f("ck_codes_uses_within_max")),
        sa.ForeignKeyConstraint(
            ["brand_id", "parent_id"],
            ["codes.brand_id", "codes.id"],
            name=op.f("fk_codes_codes_brand_id_parent_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_codes_referrers_brand_id_referrer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "terms_id"],
            ["terms.brand_id", "terms.id"],
            name=op.f("fk_codes_terms_brand_id_terms_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_codes")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_codes_brand_id_code")),
    )
    op.create_index(
        "ix_codes_erased_key",
        "codes",
        ["brand_id", "erased_key"],
        unique=False,
        postgresql_where=sa.text("erased_key IS NOT NULL"),
    )
    op.create_index(
        "ix_codes_parent",
        "codes",
        ["brand_id", "parent_id", "starts_at"],
        unique=False,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_index("ix_codes_referrer", "codes", ["brand_id", "referrer_id"], unique=False)
    op.create_index(
        "uq_codes_active_share",
        "codes",
        ["brand_id", "referrer_id"],
        unique=True,
        postgresql_where=sa.text("active AND kind = 'share'"),
    )
    op.create_table(
        "credit_accounts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_credit_accounts_reserved_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_credit_accounts_referrers_brand_id_referrer_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "referrer_id", "currency", name=op.f("pk_credit_accounts")),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_key", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cause_kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_ledger_entries_referrers_brand_id_referrer_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "brand_id",
            "transaction_key",
            "account",
            name=op.f("uq_ledger_entries_brand_id_transaction_key_account"),
        ),
    )
    op.create_index("ix_ledger_entries_cause", "ledger_entries", ["brand_id", "cause_id"], unique=False)
    op.create_table(
        "response_events",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("response_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "response_id"],
            ["responses.brand_id", "responses.id"],
            name=op.f("fk_response_events_responses_brand_id_response_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_response_events")),
    )
    op.create_index(
        "ix_response_events_noted",
        "response_events",
        ["at", "brand_id"],
        unique=False,
        postgresql_where=sa.text("kind = 'noted' AND text IS NOT NULL"),
    )
    op.create_index(
        "ix_response_events_response", "response_events", ["brand_id", "response_id", "id"], unique=False
    )
    op.create_table(
        "response_tags",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("response_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "response_id"],
            ["responses.brand_id", "responses.id"],
            name=op.f("fk_response_tags_responses_brand_id_response_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "response_id", "key", name=op.f("pk_response_tags")),
    )
    op.create_index("ix_response_tags_key", "response_tags", ["brand_id", "key", "response_id"], unique=False)
    op.create_table(
        "shop_credits",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("spent_elsewhere", sa.BigInteger(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("announced_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_shop_credits_referrers_brand_id_referrer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_shop_credits_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_shop_credits")),
        sa.UniqueConstraint("brand_id", "code", name=op.f("uq_shop_credits_brand_id_code")),
        sa.UniqueConstraint(
            "brand_id", "referrer_id", "currency", name=op.f("uq_shop_credits_brand_id_referrer_id_currency")
        ),
    )
    op.create_index(
        "ix_shop_credits_due",
        "shop_credits",
        ["brand_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_shop_credits_shop", "shop_credits", ["brand_id", "shop_id"], unique=False)
    op.create_table(
        "visit_counts",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_visit_counts_referrers_brand_id_referrer_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "referrer_id", "day", name=op.f("pk_visit_counts")),
    )
    op.create_table(
        "code_publications",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("issued_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("trial", sa.Boolean(), nullable=False),
        sa.Column("live_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("issued_id = code_id", name=op.f("ck_code_publications_issued_is_the_code")),
        sa.ForeignKeyConstraint(
            ["brand_id", "issued_id"],
            ["codes.brand_id", "codes.id"],
            name=op.f("fk_code_publications_codes_brand_id_issued_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_code_publications_shops_brand_id_shop_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "terms_id"],
            ["terms.brand_id", "terms.id"],
            name=op.f("fk_code_publications_terms_brand_id_terms_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "code_id", "shop_id", name=op.f("pk_code_publications")),
    )
    op.create_index(
        "ix_code_publications_due",
        "code_publications",
        ["brand_id", "urgent", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_code_publications_expiry",
        "code_publications",
        ["brand_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("attempt > 0 AND state = 'live'"),
    )
    op.create_index(
        "ix_code_publications_pool",
        "code_publications",
        ["brand_id", "shop_id", "terms_id"],
        unique=False,
        postgresql_where=sa.text("issued_id IS NULL"),
    )
    op.create_index(
        "ix_code_publications_sent",
        "code_publications",
        ["brand_id", "shop_id", "terms_id", "code"],
        unique=False,
        postgresql_where=sa.text("attempt > 0"),
    )
    op.create_table(
        "credit_reservations",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "captured BETWEEN 0 AND amount", name=op.f("ck_credit_reservations_captured_within_amount")
        ),
        sa.CheckConstraint(
            "refunded BETWEEN 0 AND captured", name=op.f("ck_credit_reservations_refunded_within_captured")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id", "currency"],
            ["credit_accounts.brand_id", "credit_accounts.referrer_id", "credit_accounts.currency"],
            name="fk_credit_reservations_account",
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_credit_reservations")),
    )
    op.create_index(
        "ix_credit_reservations_account",
        "credit_reservations",
        ["brand_id", "referrer_id", "currency"],
        unique=False,
    )
    op.create_index(
        "ix_credit_reservations_open",
        "credit_reservations",
        ["brand_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'reserved'"),
    )
    op.create_table(
        "redemptions",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("friend_id", sa.Uuid(), nullable=True),
        sa.Column("friend_email_key", sa.Text(), nullable=True),
        sa.Column("friend_phone", sa.Text(), nullable=True),
        sa.Column("one_per_friend", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("earlier", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("status_before", sa.Text(), nullable=True),
        sa.Column("amount_off", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.Uuid(), nullable=False),
        sa.Column("holds_use", sa.Boolean(), nullable=False),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'refused') <= (reason IS NOT NULL)", name=op.f("ck_redemptions_refusal_has_reason")
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "code_id"],
            ["codes.brand_id", "codes.id"],
            name=op.f("fk_redemptions_codes_brand_id_code_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "friend_id"],
            ["customers.brand_id", "customers.id"],
            name=op.f("fk_redemptions_customers_brand_id_friend_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "order_id"],
            ["orders.brand_id", "orders.id"],
            name=op.f("fk_redemptions_orders_brand_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_redemptions_referrers_brand_id_referrer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "terms_id"],
            ["terms.brand_id", "terms.id"],
            name=op.f("fk_redemptions_terms_brand_id_terms_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_redemptions")),
        sa.UniqueConstraint("brand_id", "order_id", name=op.f("uq_redemptions_brand_id_order_id")),
    )
    op.create_index("ix_redemptions_code", "redemptions", ["brand_id", "code_id"], unique=False)
    op.create_index("ix_redemptions_friend", "redemptions", ["brand_id", "friend_id"], unique=False)
    op.create_index(
        "ix_redemptions_hold",
        "redemptions",
        ["brand_id", "hold_until"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_redemptions_reason",
        "redemptions",
        ["brand_id", "reason", "id"],
        unique=False,
        postgresql_where=sa.text("reason IS NOT NULL"),
    )
    op.create_index("ix_redemptions_referrer", "redemptions", ["brand_id", "referrer_id"], unique=False)
    op.create_index("ix_redemptions_status", "redemptions", ["brand_id", "status", "id"], unique=False)
    op.create_index(
        "uq_redemptions_friend_email",
        "redemptions",
        ["brand_id", "friend_email_key"],
        unique=True,
        postgresql_where=sa.text("holds_use AND one_per_friend"),
    )
    op.create_index(
        "uq_redemptions_friend_phone",
        "redemptions",
        ["brand_id", "friend_phone"],
        unique=True,
        postgresql_where=sa.text("holds_use AND one_per_friend"),
    )
    op.create_table(
        "shop_credit_uses",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("shop_credit_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_shop_credit_uses_amount_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["brand_id", "order_id"],
            ["orders.brand_id", "orders.id"],
            name=op.f("fk_shop_credit_uses_orders_brand_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_credit_id"],
            ["shop_credits.brand_id", "shop_credits.id"],
            name="fk_shop_credit_uses_credit",
        ),
        sa.PrimaryKeyConstraint("brand_id", "order_id", name=op.f("pk_shop_credit_uses")),
    )
    op.create_index(
        "ix_shop_credit_uses_credit", "shop_credit_uses", ["brand_id", "shop_credit_id"], unique=False
    )
    op.create_table(
        "visits",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("visitor", sa.LargeBinary(), nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=True),
        sa.Column("network", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "code_id"],
            ["codes.brand_id", "codes.id"],
            name=op.f("fk_visits_codes_brand_id_code_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_visits_referrers_brand_id_referrer_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_visits")),
        sa.UniqueConstraint("brand_id", "code_id", name=op.f("uq_visits_brand_id_code_id")),
        sa.UniqueConstraint(
            "brand_id", "referrer_id", "visitor", name=op.f("uq_visits_brand_id_referrer_id_visitor")
        ),
    )
    op.create_index("ix_visits_at", "visits", ["at", "brand_id"], unique=False)
    op.create_table(
        "rewards",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("referrer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("kind_reason", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("net_amount", sa.BigInteger(), nullable=False),
        sa.Column("used_amount", sa.BigInteger(), nullable=False),
        sa.Column("lapsed_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_order_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("net_amount BETWEEN 0 AND amount", name=op.f("ck_rewards_net_within_amount")),
        sa.CheckConstraint("used_amount >= 0", name=op.f("ck_rewards_used_is_not_negative")),
        sa.ForeignKeyConstraint(
            ["brand_id", "code_id"],
            ["codes.brand_id", "codes.id"],
            name=op.f("fk_rewards_codes_brand_id_code_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "redemption_id"],
            ["redemptions.brand_id", "redemptions.id"],
            name=op.f("fk_rewards_redemptions_brand_id_redemption_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "referrer_id"],
            ["referrers.brand_id", "referrers.id"],
            name=op.f("fk_rewards_referrers_brand_id_referrer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "used_order_id"],
            ["orders.brand_id", "orders.id"],
            name=op.f("fk_rewards_orders_brand_id_used_order_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_rewards")),
        sa.UniqueConstraint("brand_id", "code_id", name=op.f("uq_rewards_brand_id_code_id")),
        sa.UniqueConstraint("brand_id", "redemption_id", name=op.f("uq_rewards_brand_id_redemption_id")),
    )
    op.create_index(
        "ix_rewards_expiry",
        "rewards",
        ["brand_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("status = 'granted'"),
    )
    op.create_index("ix_rewards_referrer", "rewards", ["brand_id", "referrer_id"], unique=False)
    op.create_index("ix_rewards_status", "rewards", ["brand_id", "status", "id"], unique=False)
    op.create_index(
        "ix_rewards_used_order",
        "rewards",
        ["brand_id", "used_order_id"],
        unique=False,
        postgresql_where=sa.text("used_order_id IS NOT NULL"),
    )
    op.create_table(
        "reward_placements",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reward_id", sa.Uuid(), nullable=False),
        sa.Column("shop_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("placed", sa.BigInteger(), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("live_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "reward_id"],
            ["rewards.brand_id", "rewards.id"],
            name=op.f("fk_reward_placements_rewards_brand_id_reward_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_id"],
            ["shops.brand_id", "shops.id"],
            name=op.f("fk_reward_placements_shops_brand_id_shop_id"),
        ),
        sa.PrimaryKeyConstraint("brand_id", "reward_id", name=op.f("pk_reward_placements")),
    )
    op.create_index(
        "ix_reward_placements_due",
        "reward_placements",
        ["brand_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "shop_credit_moves",
        sa.Column("brand_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shop_credit_id", sa.Uuid(), nullable=False),
        sa.Column("reward_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("foreign_amount", sa.BigInteger(), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("after_id", sa.Text(), nullable=True),
        sa.Column("balance_before", sa.BigInteger(), nullable=True),
        sa.Column("held_before", sa.BigInteger(), nullable=True),
        sa.Column("remote_id", sa.Text(), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_shop_credit_moves_amount_is_positive")),
        sa.ForeignKeyConstraint(
            ["brand_id", "reward_id"],
            ["rewards.brand_id", "rewards.id"],
            name=op.f("fk_shop_credit_moves_rewards_brand_id_reward_id"),
        ),
        sa.ForeignKeyConstraint(
            ["brand_id", "shop_credit_id"],
            ["shop_credits.brand_id", "shop_credits.id"],
            name="fk_shop_credit_moves_credit",
        ),
        sa.PrimaryKeyConstraint("brand_id", "id", name=op.f("pk_shop_credit_moves")),
        sa.UniqueConstraint("brand_id", "shop_credit_id", "expires_at", name="uq_shop_credit_moves_key"),
    )
    op.create_index(
        "uq_shop_credit_moves_open",
        "shop_credit_moves",
        ["brand_id", "shop_credit_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only; write a compensating row', TG_TABLE_NAME;
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute("INSERT INTO installations (number, id) VALUES (1, gen_random_uuid())")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '1s'")
    op.drop_index(
        "uq_shop_credit_moves_open",
        table_name="shop_credit_moves",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_table("shop_credit_moves")
    op.drop_index(
        "ix_reward_placements_due",
        table_name="reward_placements",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_table("reward_placements")
    op.drop_index(
        "ix_rewards_used_order", table_name="rewards", postgresql_where=sa.text("used_order_id IS NOT NULL")
    )
    op.drop_index("ix_rewards_status", table_name="rewards")
    op.drop_index("ix_rewards_referrer", table_name="rewards")
    op.drop_index("ix_rewards_expiry", table_name="rewards", postgresql_where=sa.text("status = 'granted'"))
    op.drop_table("rewards")
    op.drop_index("ix_visits_at", table_name="visits")
    op.drop_table("visits")
    op.drop_index("ix_shop_credit_uses_credit", table_name="shop_credit_uses")
    op.drop_table("shop_credit_uses")
    op.drop_index(
        "uq_redemptions_friend_phone",
        table_name="redemptions",
        postgresql_where=sa.text("holds_use AND one_per_friend"),
    )
    op.drop_index(
        "uq_redemptions_friend_email",
        table_name="redemptions",
        postgresql_where=sa.text("holds_use AND one_per_friend"),
    )
    op.drop_index("ix_redemptions_status", table_name="redemptions")
    op.drop_index("ix_redemptions_referrer", table_name="redemptions")
    op.drop_index(
        "ix_redemptions_reason", table_name="redemptions", postgresql_where=sa.text("reason IS NOT NULL")
    )
    op.drop_index(
        "ix_redemptions_hold", table_name="redemptions", postgresql_where=sa.text("status = 'pending'")
    )
    op.drop_index("ix_redemptions_friend", table_name="redemptions")
    op.drop_index("ix_redemptions_code", table_name="redemptions")
    op.drop_table("redemptions")
    op.drop_index(
        "ix_credit_reservations_open",
        table_name="credit_reservations",
        postgresql_where=sa.text("status = 'reserved'"),
    )
    op.drop_index("ix_credit_reservations_account", table_name="credit_reservations")
    op.drop_table("credit_reservations")
    op.drop_index(
        "ix_code_publications_sent", table_name="code_publications", postgresql_where=sa.text("attempt > 0")
    )
    op.drop_index(
        "ix_code_publications_pool",
        table_name="code_publications",
        postgresql_where=sa.text("issued_id IS NULL"),
    )
    op.drop_index(
        "ix_code_publications_expiry",
        table_name="code_publications",
        postgresql_where=sa.text("attempt > 0 AND state = 'live'"),
    )
    op.drop_index(
        "ix_code_publications_due",
        table_name="code_publications",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_table("code_publications")
    op.drop_table("visit_counts")
    op.drop_index("ix_shop_credits_shop", table_name="shop_credits")
    op.drop_index(
        "ix_shop_credits_due", table_name="shop_credits", postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.drop_table("shop_credits")
    op.drop_index("ix_response_tags_key", table_name="response_tags")
    op.drop_table("response_tags")
    op.drop_index("ix_response_events_response", table_name="response_events")
    op.drop_index(
        "ix_response_events_noted",
        table_name="response_events",
        postgresql_where=sa.text("kind = 'noted' AND text IS NOT NULL"),
    )
    op.drop_table("response_events")
    op.drop_index("ix_ledger_entries_cause", table_name="ledger_entries")
    op.drop_table("ledger_entries")
    op.drop_table("credit_accounts")
    op.drop_index(
        "uq_codes_active_share", table_name="codes", postgresql_where=sa.text("active AND kind = 'share'")
    )
    op.drop_index("ix_codes_referrer", table_name="codes")
    op.drop_index("ix_codes_parent", table_name="codes", postgresql_where=sa.text("parent_id IS NOT NULL"))
    op.drop_index(
        "ix_codes_erased_key", table_name="codes", postgresql_where=sa.text("erased_key IS NOT NULL")
    )
    op.drop_table("codes")
    op.drop_table("withheld_offers")
    op.drop_index(
        "ix_responses_words",
        table_name="responses",
        postgresql_using="gin",
        postgresql_where=sa.text("comment IS NOT NULL"),
    )
    op.drop_index("ix_responses_state", table_name="responses", postgresql_where=sa.text("state IS NOT NULL"))
    op.drop_index(
        "ix_responses_open",
        table_name="responses",
        postgresql_where=sa.text("(state = 'open' OR state IS NULL AND score <= 6 AND NOT trial)"),
    )
    op.drop_index("ix_responses_customer", table_name="responses")
    op.drop_index(
        "ix_responses_commented", table_name="responses", postgresql_where=sa.text("comment IS NOT NULL")
    )
    op.drop_index(
        "ix_responses_assignee", table_name="responses", postgresql_where=sa.text("assignee_id IS NOT NULL")
    )
    op.drop_index("ix_responses_answered_at", table_name="responses")
    op.drop_table("responses")
    op.drop_index("ix_referrers_survey", table_name="referrers")
    op.drop_table("referrers")
    op.drop_index("ix_provider_events_attempt", table_name="provider_events")
    op.drop_table("provider_events")
    op.drop_index("ix_outbox_created_at", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_surveys_trial", table_name="surveys", postgresql_where=sa.text("trial"))
    op.drop_index("ix_surveys_status", table_name="surveys")
    op.drop_index("ix_surveys_reminder", table_name="surveys", postgresql_where=sa.text("status = 'sent'"))
    op.drop_index(
        "ix_surveys_occasion", table_name="surveys", postgresql_where=sa.text("cause_kind <> 'order'")
    )
    op.drop_index(
        "ix_surveys_expiry", table_name="surveys", postgresql_where=sa.text("status IN ('queued', 'sent')")
    )
    op.drop_index("ix_surveys_due", table_name="surveys", postgresql_where=sa.text("status = 'planned'"))
    op.drop_index("ix_surveys_customer", table_name="surveys")
    op.drop_table("surveys")
    op.drop_index(
        "ix_delivery_fetches_due",
        table_name="delivery_fetches",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.drop_table("delivery_fetches")
    op.drop_table("data_requests")
    op.drop_index(
        "ix_attempts_provider_ref",
        table_name="attempts",
        postgresql_where=sa.text("provider_ref IS NOT NULL"),
    )
    op.drop_table("attempts")
    op.drop_table("staff_sessions")
    op.drop_index("ix_shop_syncs_due", table_name="shop_syncs")
    op.drop_table("shop_syncs")
    op.drop_table("shop_publishing")
    op.drop_index("ix_shop_discounts_check", table_name="shop_discounts")
    op.drop_table("shop_discounts")
    op.drop_table("shop_connections")
    op.drop_table("programmes")
    op.drop_index("ix_orders_placed_at", table_name="orders")
    op.drop_index("ix_orders_number", table_name="orders")
    op.drop_index("ix_orders_customer", table_name="orders")
    op.drop_index("ix_orders_buyer", table_name="orders", postgresql_where=sa.text("buyer_key IS NOT NULL"))
    op.drop_table("orders")
    op.drop_table("order_imports")
    op.drop_table("order_facts")
    op.drop_index(
        "ix_messages_sending",
        table_name="messages",
        postgresql_where=sa.text("status IN ('sending', 'unknown')"),
    )
    op.drop_index(
        "ix_messages_exceptions",
        table_name="messages",
        postgresql_where=sa.text("status NOT IN ('planned', 'sending', 'accepted', 'delivered')"),
    )
    op.drop_index("ix_messages_due", table_name="messages", postgresql_where=sa.text("status = 'planned'"))
    op.drop_index("ix_messages_customer", table_name="messages")
    op.drop_table("messages")
    op.drop_table("login_links")
    op.drop_index("ix_former_references_customer", table_name="former_references")
    op.drop_table("former_references")
    op.drop_index("ix_erasures_sequence", table_name="erasures")
    op.drop_index("ix_erasures_due", table_name="erasures", postgresql_where=sa.text("due_at IS NOT NULL"))
    op.drop_table("erasures")
    op.drop_index("ix_erased_identities_sequence", table_name="erased_identities")
    op.drop_index(
        "ix_erased_identities_journal",
        table_name="erased_identities",
        postgresql_where=sa.text("NOT journaled"),
    )
    op.drop_index("ix_erased_identities_erased_at", table_name="erased_identities")
    op.drop_table("erased_identities")
    op.drop_index("ix_deliveries_customers_customer", table_name="deliveries_customers")
    op.drop_table("deliveries_customers")
    op.drop_index("ix_deliveries_status", table_name="deliveries")
    op.drop_index(
        "ix_deliveries_retained",
        table_name="deliveries",
        postgresql_where=sa.text("body <> '' AND status IN ('processed', 'ignored', 'failed')"),
    )
    op.drop_index("ix_deliveries_new", table_name="deliveries", postgresql_where=sa.text("status = 'new'"))
    op.drop_table("deliveries")
    op.drop_index("ix_customer_references_customer", table_name="customer_references")
    op.drop_table("customer_references")
    op.drop_table("consent_facts")
    op.drop_table("audit_values")
    op.drop_table("terms")
    op.drop_table("template_texts")
    op.drop_index(
        "uq_suppressions_in_force", table_name="suppressions", postgresql_where=sa.text("lifted_at IS NULL")
    )
    op.drop_index(
        "ix_suppressions_journal", table_name="suppressions", postgresql_where=sa.text("NOT journaled")
    )
    op.drop_index("ix_suppressions_address", table_name="suppressions")
    op.drop_table("suppressions")
    op.drop_index("ix_staff_email", table_name="staff")
    op.drop_table("staff")
    op.drop_table("shops")
    op.drop_table("shop_slugs")
    op.drop_index("ix_provider_accounts_account", table_name="provider_accounts")
    op.drop_table("provider_accounts")
    op.drop_index(op.f("ix_event_tasks_brand_id_consumer_due_at"), table_name="event_tasks")
    op.drop_table("event_tasks")
    op.drop_table("domain_events")
    op.drop_index(
        "uq_customers_phone_alone",
        table_name="customers",
        postgresql_where=sa.text("email IS NULL AND phone IS NOT NULL"),
    )
    op.drop_index("uq_customers_email", table_name="customers", postgresql_where=sa.text("email IS NOT NULL"))
    op.drop_index("ix_customers_phone", table_name="customers", postgresql_where=sa.text("phone IS NOT NULL"))
    op.drop_index(
        "ix_customers_email_key", table_name="customers", postgresql_where=sa.text("email_key IS NOT NULL")
    )
    op.drop_table("customers")
    op.drop_table("brand_images")
    op.drop_index("ix_audit_entries_subject", table_name="audit_entries")
    op.drop_index("ix_audit_entries_actor", table_name="audit_entries")
    op.drop_index("ix_audit_entries_action", table_name="audit_entries")
    op.drop_table("audit_entries")
    op.drop_table("api_keys")
    op.drop_table("template_versions")
    op.drop_table("secret_keys")
    op.drop_table("provider_circuits")
    op.drop_table("journal_positions")
    op.drop_table("installations")
    op.drop_table("idempotency_keys")
    op.drop_table("brands")
    op.execute("DROP FUNCTION refuse_change()")
