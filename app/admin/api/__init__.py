"""The API below `/api/v1`: one file a group of resources. Every route names the scope it wants."""

from fastapi import APIRouter

from app.admin.api import audit, brand, checkout, codes, deliveries, numbers, people, surveys

PARTS = (brand, deliveries, people, surveys, codes, checkout, numbers, audit)
router = APIRouter(prefix="/api/v1")
for part in PARTS:
    router.include_router(part.router)
