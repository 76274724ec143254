"""Every provider's webhook endpoints, in one router."""

from fastapi import APIRouter

from app.messaging.providers.sendgrid import routes as sendgrid
from app.messaging.providers.twilio import routes as twilio

PROVIDER_ROUTERS = (twilio.router, sendgrid.router)
"""One per provider that reports to us; a new provider's router is added here."""

router = APIRouter()
for _each in PROVIDER_ROUTERS:
    # Not included: the framework looks the routes of an included router up twice.
    router.routes.extend(_each.routes)
