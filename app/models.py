"""Every table and every message template: importing this module registers them all."""

from app.admin import alarm_models as alarms
from app.admin import bulk_models as bulk
from app.admin import erase as admin_erase
from app.admin import export_models as list_exports
from app.admin import models as admin
from app.admin import templates as admin_templates
from app.base import audit
from app.base import models as base
from app.base.distribute import Place
from app.base.outbox import CONSUMERS
from app.brands import models as brands
from app.customers import models as customers
from app.ingest import backfill_models as backfill
from app.ingest import models as ingest
from app.insight import models as insight
from app.ledger import models as ledger
from app.messaging import models as messaging
from app.orders import models as orders
from app.platforms import models as platforms
from app.referrals import figure_models as figures
from app.referrals import leak_models as leaks
from app.referrals import models as referrals
from app.referrals import reward_models as rewards
from app.referrals import templates as referral_templates
from app.referrals import visit_models as visits
from app.referrals import withheld_models as withheld
from app.referrals.placing import models as placements
from app.referrals.publishing import models as publications
from app.referrals.shop_credit import models as shop_credits
from app.surveys import models as surveys
from app.surveys import templates as survey_templates

CONSUMERS.append(admin_erase.CONSUMER)

REFERENCE = frozenset({"brands", "shop_slugs"})
"""Where the tables are distributed by brand (Citus), these small ones are on every machine."""
LOCAL = frozenset(
    {"installations", "journal_positions", "provider_circuits", "secret_keys", "sign_in_guesses"}
)
"""These belong to no brand and stay on the machine that the processes connect to. No statement
reads them together with a brand's tables. The queue engine's tables are there too."""
DISTRIBUTED = frozenset(
    {
        "alarm_calls",
        "alarm_notices",
        "alarm_settings",
        "alarms",
        "api_keys",
        "attempts",
        "audit_entries",
        "audit_values",
        "brand_images",
        "bulk_decisions",
        "code_publications",
        "codes",
        "consent_facts",
        "credit_accounts",
        "credit_reservations",
        "customer_references",
        "customers",
        "daily_figures",
        "data_requests",
        "deliveries",
        "deliveries_customers",
        "delivery_fetches",
        "dirty_days",
        "domain_events",
        "erased_identities",
        "erasures",
        "event_tasks",
        "former_references",
        "idempotency_keys",
        "ledger_days",
        "ledger_entries",
        "list_exports",
        "login_links",
        "messages",
        "order_facts",
        "order_import_parts",
        "order_import_refusals",
        "order_imports",
        "orders",
        "outbox",
        "programmes",
        "provider_accounts",
        "provider_events",
        "redemptions",
        "referrer_changes",
        "referrer_figure_bases",
        "referrer_figures",
        "referrers",
        "response_events",
        "response_tags",
        "responses",
        "reward_placements",
        "rewards",
        "rollups",
        "shop_connections",
        "shop_credit_moves",
        "shop_credit_uses",
        "shop_credits",
        "shop_discounts",
        "shop_publishing",
        "shop_syncs",
        "shops",
        "staff",
        "staff_sessions",
        "suppressions",
        "suspected_leaks",
        "surveys",
        "template_texts",
        "template_versions",
        "terms",
        "touched_rows",
        "visit_counts",
        "visits",
        "withheld_offers",
    }
)
"""All others, by `brand_id`: a brand's rows of all of them are on one machine."""
PLACES = dict.fromkeys(REFERENCE, Place.reference) | dict.fromkeys(DISTRIBUTED, Place.distributed)
"""What `tenfold distribute` does with each table but the local ones."""

__all__ = [
    "DISTRIBUTED",
    "LOCAL",
    "PLACES",
    "REFERENCE",
    "admin",
    "admin_templates",
    "alarms",
    "audit",
    "backfill",
    "base",
    "brands",
    "bulk",
    "customers",
    "figures",
    "ingest",
    "insight",
    "leaks",
    "ledger",
    "list_exports",
    "messaging",
    "orders",
    "placements",
    "platforms",
    "publications",
    "referral_templates",
    "referrals",
    "rewards",
    "shop_credits",
    "survey_templates",
    "surveys",
    "visits",
    "withheld",
]
