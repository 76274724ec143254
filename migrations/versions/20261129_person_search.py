"""People are found by the beginning of a name or an address, orders by that of their number."""

from app.base.indexes import add_index, remove_index

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BRAND = "brand_id::text"
NAMES = "(coalesce(first_name, '') || ' ') || coalesce(last_name, '')"
SPACED = f"(translate(lower({NAMES}), '-.''\u2019\u2010', '     ') || ' ') || coalesce(email, '')"
MARKED = f"({BRAND} || ':') || replace({SPACED}, ' ', (' ' || {BRAND}) || ':')"
WORDS = f"array_to_tsvector(array_remove(string_to_array({MARKED}, ' '), {BRAND} || ':'))"


def upgrade() -> None:
    add_index("ix_customers_words", f"customers USING gin ({WORDS}) WITH (gin_pending_list_limit = 256)")
    # It serves whole numbers too, so the index that only did that goes.
    add_index("ix_orders_number_start", "orders (brand_id, number text_pattern_ops)")
    remove_index("ix_orders_number")


def downgrade() -> None:
    add_index("ix_orders_number", "orders (brand_id, number)")
    remove_index("ix_orders_number_start")
    remove_index("ix_customers_words")
