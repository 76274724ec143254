"""Every table and every message template: importing this module registers them all."""

from app.admin import erase as admin_erase
from app.admin import models as admin
from app.base import audit
from app.base import models as base
from app.base.outbox import CONSUMERS
from app.brands import models as brands
from app.customers import models as customers
from app.ingest import models as ingest
from app.ledger import models as ledger
from app.messaging import models as messaging
from app.orders import models as orders
from app.platforms import models as platforms
from app.referrals import models as referrals
from app.referrals import templates as referral_templates
from app.surveys import models as surveys
from app.surveys import templates as survey_templates

CONSUMERS.append(admin_erase.CONSUMER)

__all__ = [
    "admin",
    "audit",
    "base",
    "brands",
    "customers",
    "ingest",
    "ledger",
    "messaging",
    "orders",
    "platforms",
    "referral_templates",
    "referrals",
    "survey_templates",
    "surveys",
]
