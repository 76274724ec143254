"""Every table of the application: importing this module adds them all to the metadata."""

from app.admin import models as admin
from app.brands import models as brands
from app.customers import models as customers
from app.ingest import models as ingest
from app.messaging import models as messaging
from app.orders import models as orders
from app.referrals import models as referrals
from app.surveys import models as surveys

__all__ = ["admin", "brands", "customers", "ingest", "messaging", "orders", "referrals", "surveys"]
