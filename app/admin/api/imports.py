"""Imports of files of orders: how far each is, and what was refused of it."""

from fastapi import APIRouter

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator
from app.admin.fields import Plain
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_shops
from app.ingest.import_parts import load_refusals
from app.ingest.schemas import ImportRefusalShape, ImportShape
from app.ingest.uploaded_imports import load_import, load_imports

router = APIRouter(tags=["brand"], route_class=ApiRoute)


@router.get("/imports")
async def list_imports(caller: Administrator, session: SessionDep) -> Page[ImportShape]:
    """The last 50 imports, the newest first; of uploaded files and of commands."""
    shops = await load_shops(session, caller.brand_id)
    rows = await load_imports(session, caller.brand_id)
    return Page(data=[ImportShape.of(shops[row.shop_id].slug, row) for row in rows], next_cursor=None)


@router.get("/imports/{id}", responses=problems(404))
async def show_import(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    session: SessionDep,
) -> ImportShape:
    """How far one import is."""
    row = await load_import(session, caller.brand_id, parse_public_id("imp", id))
    shops = await load_shops(session, caller.brand_id)
    return ImportShape.of(shops[row.shop_id].slug, row)


@router.get("/imports/{id}/refusals", responses=problems(404))
async def list_refusals(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    session: SessionDep,
) -> Page[ImportRefusalShape]:
    """What was refused of an uploaded file, by line; at most 10,000."""
    row = await load_import(session, caller.brand_id, parse_public_id("imp", id))
    found = await load_refusals(session, caller.brand_id, row.id)
    data = [ImportRefusalShape(line=line, reason=reason) for line, reason in found]
    return Page(data=data, next_cursor=None)
