"""Lists as files, and which were taken."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Reader, check_scope
from app.admin.export import export_parts, start_export
from app.admin.export_filters import ExportFilters
from app.admin.export_rows import LIST_EXPORTS
from app.admin.export_rules import ExportFormat, ExportName
from app.admin.export_schemas import ExportRow
from app.admin.listing import PageDep, list_page
from app.admin.rules import Scope
from app.base.actor import Actor
from app.base.context import AppContext
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_brand

router = APIRouter(tags=["numbers"], route_class=ApiRoute)


class CsvResponse(StreamingResponse):
    """Lines of CSV."""

    media_type = "text/csv"


class JsonLinesResponse(StreamingResponse):
    """One JSON object a line."""

    media_type = "application/jsonl"


RESPONSES = {ExportFormat.csv: CsvResponse, ExportFormat.jsonl: JsonLinesResponse}
Filters = Annotated[ExportFilters, Query()]


@router.get("/exports")
async def list_exports(caller: Reader, page: PageDep, session: SessionDep) -> Page[ExportRow]:
    """Lists that were taken as files, the latest first, with how far each is."""
    return await list_page(session, page, caller, LIST_EXPORTS)


@router.get("/exports/{what}.csv", name="export_list", response_class=CsvResponse, responses=problems(404))
async def export_csv(
    request: Request, what: ExportName, caller: Reader, context: ContextDep, filters: Filters
) -> StreamingResponse:
    """A list as CSV; personal fields need the scope `pii`. It is in the audit log."""
    _check(request, what)
    return await export_response(context, caller, what, ExportFormat.csv, filters)


@router.get(
    "/exports/{what}.jsonl",
    name="export_list_as_json",
    response_class=JsonLinesResponse,
    responses=problems(404),
)
async def export_json(
    request: Request, what: ExportName, caller: Reader, context: ContextDep, filters: Filters
) -> StreamingResponse:
    """A list as JSON Lines, each as the list has it; the last line says how many came before."""
    _check(request, what)
    return await export_response(context, caller, what, ExportFormat.jsonl, filters)


def _check(request: Request, what: ExportName) -> None:
    """The audit log is for administrators, as its list is."""
    if what is ExportName.audit:
        check_scope(request, Scope.admin)


async def export_response(
    context: AppContext, caller: Actor, what: ExportName, made: ExportFormat, filters: ExportFilters
) -> StreamingResponse:
    """The file, as it is read. Raises as `start_export`."""
    async with context.sessions.begin() as session:
        brand = await load_brand(session, caller.brand_id)
        started = await start_export(session, caller, brand, what, made, filters)
    parts = await export_parts(context, started)
    headers = {"Content-Disposition": f'attachment; filename="{what}.{made}"', "Cache-Control": "no-store"}
    return RESPONSES[made](parts, headers=headers)
