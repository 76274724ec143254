"""Every screen, by its module; the menu shows the entry of a screen that is added here."""

from fastapi import APIRouter

from app.admin.dashboard import (
    alarms,
    audit,
    bulk_orders,
    codes,
    credit_orders,
    exports,
    gallery,
    imports,
    keys,
    ledger,
    look,
    messages,
    orders,
    outbox,
    overview,
    person,
    referrers,
    response_changes,
    response_decisions,
    response_reply,
    responses,
    rewards,
    scores,
    search,
    shops,
    system,
    team,
    terms,
)
from app.admin.dashboard.access import ScreenRoute

SCREENS = (
    overview,
    scores,
    responses,
    response_changes,
    response_reply,
    response_decisions,
    referrers,
    codes,
    bulk_orders,
    credit_orders,
    orders,
    rewards,
    ledger,
    person,
    terms,
    messages,
    look,
    team,
    shops,
    keys,
    imports,
    alarms,
    exports,
    audit,
    outbox,
    search,
    system,
    gallery,
)
ROUTES = [route for screen in SCREENS for route in screen.router.routes if isinstance(route, ScreenRoute)]
_PATHS = frozenset(route.path for route in ROUTES)
for route in ROUTES:
    # So that nothing leads to a screen that does not exist.
    route.served_paths = _PATHS

router = APIRouter()
for screen in SCREENS:
    router.include_router(screen.router)
