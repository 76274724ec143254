"""The API below `/api/v1`: one module for each group of resources. Every route names its scope."""

from app.admin.api import (
    alarms,
    audit,
    brand,
    brand_images,
    checkout,
    codes,
    connections,
    deliveries,
    exports,
    keys,
    links,
    messages,
    more_numbers,
    numbers,
    people,
    programme,
    programme_preview,
    providers,
    referrers,
    responses,
    shops,
    spending,
    staff,
    surveys,
    templates,
    testimonials,
)
from app.base.web.openapi import problems
from app.base.web.prefix_router import PrefixRouter

PARTS = (
    brand,
    brand_images,
    shops,
    connections,
    providers,
    programme,
    programme_preview,
    deliveries,
    people,
    surveys,
    responses,
    testimonials,
    messages,
    templates,
    referrers,
    codes,
    checkout,
    spending,
    links,
    numbers,
    more_numbers,
    alarms,
    exports,
    keys,
    staff,
    audit,
)
router = PrefixRouter("/api/", prefix="/api/v1", responses=problems(401, 403, 503))
for part in PARTS:
    router.include_router(part.router)
