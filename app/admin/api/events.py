"""Inbound deliveries, and working one off again."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.admin.auth import Reader, Writer
from app.admin.fields import Plain
from app.admin.listing import PageDep, listing, matches, single
from app.admin.once import Answer, OnceDep
from app.admin.rows import EVENTS
from app.base.ids import read_id
from app.base.web import SessionDep
from app.brands.models import Shop
from app.ingest.models import Event
from app.ingest.rules import EventStatus
from app.ingest.take_in import replay

router = APIRouter(prefix="/events", tags=["events"])


@router.get("")
async def list_events(
    caller: Reader, page: PageDep, session: SessionDep, status: EventStatus | None = None, shop: Plain | None = None
) -> dict[str, Any]:
    """Deliveries, newest first."""
    return await listing(session, page, caller, EVENTS, matches(Event.status, status), matches(Shop.slug, shop))


@router.post("/{id}/replay")
async def replay_event(id: Plain, caller: Writer, once: OnceDep) -> JSONResponse:  # noqa: A002  # the path's own word
    """Work a delivery off again; it stands as `new` until the next sweep, which comes at once."""

    async def act() -> Answer:
        event_id = read_id("evt", id)
        await single(once.session, caller, EVENTS, event_id)
        await replay(once.session, caller.brand_id, event_id)
        return Answer(await single(once.session, caller, EVENTS, event_id))

    return await once.run(caller, act)
