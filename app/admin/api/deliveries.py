"""Inbound deliveries, and processing one again."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, Writer
from app.admin.deliveries import delivery_detail
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.listing import PageDep, get_row, list_page, matches
from app.admin.rows import DELIVERIES
from app.base.errors import AppError
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.base.web.openapi import problems
from app.brands.models import Shop
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.ingest.schemas import DeliveryDetail, DeliveryRow
from app.ingest.store import replay

router = APIRouter(prefix="/deliveries", tags=["deliveries"], route_class=ApiRoute)


@router.get("")
async def list_deliveries(
    caller: Reader,
    page: PageDep,
    session: SessionDep,
    status: DeliveryStatus | None = None,
    shop: Plain | None = None,
) -> Page[DeliveryRow]:
    """Deliveries, newest first."""
    return await list_page(
        session, page, caller, DELIVERIES, matches(Delivery.status, status), matches(Shop.slug, shop)
    )


@router.get("/{id}", responses=problems(404))
async def show_delivery(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Reader,
    session: SessionDep,
) -> DeliveryDetail:
    """One delivery with what it holds, as it was received; needs the scope `pii`."""
    if not caller.sees_people:
        raise AppError("missing_scope", "What a delivery holds needs the scope 'pii'.", status=403)
    delivery_id = parse_public_id("dlv", id)
    return await delivery_detail(session, caller, delivery_id)


@router.post("/{id}/replay", response_model=DeliveryRow, responses=problems(404, 409))
async def replay_delivery(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Writer,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Process a delivery again; it is `new` until a worker, notified at once, processes it."""

    async def act() -> WriteResult:
        delivery_id = parse_public_id("dlv", id)
        await get_row(write.session, caller, DELIVERIES, delivery_id)
        await replay(write.session, caller.brand_id, delivery_id, actor=caller)
        return WriteResult(await get_row(write.session, caller, DELIVERIES, delivery_id))

    return await write.run(caller, act)
