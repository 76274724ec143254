"""Inbound deliveries, and working one off again."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.admin.auth import Reader, Writer
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, listing, matches, single
from app.admin.rows import EVENTS
from app.base.ids import parse_public_id
from app.base.web.context import SessionDep
from app.brands.models import Shop
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.ingest.store import replay

router = APIRouter(prefix="/deliveries", tags=["deliveries"])


@router.get("")
async def list_events(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    status: DeliveryStatus | None = None,
    shop: Plain | None = None,
) -> dict[str, Any]:
    """Deliveries, newest first."""
    return await listing(
        session, page, caller, EVENTS, matches(Delivery.status, status), matches(Shop.slug, shop)
    )


@router.post("/{id}/replay")
async def replay_event(id: Plain, caller: Writer, once: IdempotentWriteDep) -> JSONResponse:  # noqa: A002  # the path's own word
    """Work a delivery off again; it stands as `new` until the next sweep, which comes at once."""

    async def act() -> WriteResult:
        event_id = parse_public_id("dlv", id)
        await single(once.session, caller, EVENTS, event_id)
        await replay(once.session, caller.brand_id, event_id)
        return WriteResult(await single(once.session, caller, EVENTS, event_id))

    return await once.run(caller, act)
