"""Imports of files of orders: uploaded, how far each is, and what was refused of it."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute, FileRoute
from app.admin.api.shops import find_own_shop
from app.admin.auth import Administrator
from app.admin.fields import Plain
from app.admin.file_uploads import receive_file
from app.admin.idempotency import IdempotentWrite, IdempotentWriteDep, KeyHeader, WriteResult, hash_of
from app.base import clock
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems, request_schema
from app.brands.find import load_shops
from app.brands.models import Shop
from app.ingest.import_parts import load_refusals
from app.ingest.schemas import ImportRefusalShape, ImportShape, TakenImport
from app.ingest.uploaded_imports import load_import, load_imports, stop_import, take_file
from app.platforms.order_files import FileFormat

UPLOAD_PATH = "/api/v1/imports"
router = APIRouter(tags=["brand"], route_class=ApiRoute)
_FILE = request_schema({"type": "string", "format": "binary"}, media_type="application/octet-stream")


@dataclass(frozen=True, slots=True)
class _Upload:
    shop: Shop
    path: Path
    content_hash: bytes


async def _upload(
    request: Request,
    caller: Administrator,
    context: ContextDep,
    shop: Annotated[Plain, Query(description="The slug of the shop that the orders are of.")],
) -> AsyncIterator[_Upload]:
    """The file on the disk, which comes in before the request's own transaction begins.

    Nothing is read of a file for a shop that is not the caller's.
    """
    async with context.sessions() as session:
        found = await find_own_shop(session, caller, shop)
    with tempfile.TemporaryDirectory(prefix="tenfold-upload-") as folder:
        path = Path(folder) / "orders"
        yield _Upload(found, path, await receive_file(request.stream(), path))


async def take_import(
    request: Request,
    caller: Administrator,
    upload: Annotated[_Upload, Depends(_upload, scope="function")],
    session: SessionDep,
    history: Annotated[
        bool,
        Query(description="They are from before the start: customers are known, nobody gets a message."),
    ] = False,
    format: Annotated[  # noqa: A002  # as in the response
        FileFormat | None, Query(description="Who wrote the file; looked up in it where left out.")
    ] = None,
    idempotency_key: KeyHeader = None,
) -> JSONResponse:
    """Take a file of orders, the body itself; the workers read it at once.

    The same file again is the same import: one that broke off or was stopped goes on where it was.
    """

    async def act() -> WriteResult:
        row, file = await take_file(
            session,
            upload.shop,
            upload.path,
            wanted=format,
            history=history,
            actor=caller,
            now=clock.now(),
        )
        shown = ImportShape.of(upload.shop.slug, row)
        return WriteResult(TakenImport(**shown.model_dump(), notes=list(file.notes)), 202)

    write = IdempotentWrite(session, idempotency_key, hash_of(request, upload.content_hash))
    return await write.run(caller, act)


# The decorators know no class of a single route.
router.add_api_route(
    "/imports",
    take_import,
    methods=["POST"],
    status_code=202,
    response_model=TakenImport,
    responses=problems(404, 409, 413),
    openapi_extra=_FILE,
    route_class_override=FileRoute,
)


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


@router.post("/imports/{id}/stop", response_model=ImportShape, responses=problems(404))
async def stop(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Read an uploaded file no further, and delete it; the orders that came in stay."""
    import_id = parse_public_id("imp", id)

    async def act() -> WriteResult:
        await stop_import(write.session, caller.brand_id, import_id)
        row = await load_import(write.session, caller.brand_id, import_id)
        shops = await load_shops(write.session, caller.brand_id)
        return WriteResult(ImportShape.of(shops[row.shop_id].slug, row))

    return await write.run(caller, act)
