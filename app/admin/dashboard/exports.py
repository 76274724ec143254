"""Settings, Exports: lists as files, and how far those are that were taken."""

from pydantic import ValidationError
from starlette.responses import Response

from app.admin.api.exports import export_response
from app.admin.auth import refuse_unconfirmed
from app.admin.dashboard.access import ForSupport, RoleRequired, screen_router
from app.admin.dashboard.frame import SHOP, Frame
from app.admin.export_filters import TAKES, ExportFilters
from app.admin.export_rows import LIST_EXPORTS
from app.admin.export_rules import ExportFormat, ExportName
from app.admin.listing import PageRequest, list_page
from app.admin.rules import Role
from app.admin.staff import load_administrators
from app.admin.views import exports as view
from app.admin.views.audit import Names
from app.admin.views.names import key_names, staff_names
from app.base.errors import AppError, NotFound
from app.base.i18n import SOURCE, translate

_AT_ONCE = 20
router = screen_router(view.EXPORTS_PATH)


@router.get("")
async def show_exports(frame: ForSupport) -> Response:
    """What can be exported, and below it what was, the latest first."""
    query = frame.request.query_params
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
    found = await list_page(frame.session, wanted, frame.staff.actor, LIST_EXPORTS)
    staff = await staff_names(frame.session, frame.brand.id)
    keys = await key_names(frame.session, frame.brand.id)
    values = {
        "lists": view.lists_for(
            frame.staff.role,
            all_shops=frame.staff.shops is None,
            shop=None if frame.shop is None else frame.shop.slug,
        ),
        "rows": view.export_rows(found.data, Names(staff, keys, {})),
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "again": frame.here(),
    }
    return frame.page("admin/exports.html", "exports", values, by_shop=True)


@router.get("/{what}.csv")
async def take_csv(what: ExportName, frame: ForSupport) -> Response:
    """A list as CSV, with the filters of its screen."""
    return await _take(frame, what, ExportFormat.csv)


@router.get("/{what}.jsonl")
async def take_json(what: ExportName, frame: ForSupport) -> Response:
    """A list as JSON Lines, with the filters of its screen."""
    return await _take(frame, what, ExportFormat.jsonl)


async def _take(frame: Frame, what: ExportName, made: ExportFormat) -> Response:
    """The file, for who has just shown who they are."""
    staff = frame.staff
    if not view.may_export(what, staff.role, all_shops=staff.shops is None):
        if what is not ExportName.audit:
            raise NotFound
        raise RoleRequired(Role.admin, staff.role, await load_administrators(frame.session, frame.brand.id))
    refuse_unconfirmed(staff, frame.url(view.EXPORTS_PATH))
    # The shop is chosen for the whole dashboard, also where a list is not by shop.
    given = {
        name: value
        for name, value in frame.request.query_params.items()
        if value and (name != SHOP or SHOP in TAKES[what].split())
    }
    try:
        filters = ExportFilters.model_validate(given)
    except ValidationError as error:
        detail = translate(SOURCE, "The filters of this address cannot be read.")
        raise AppError("bad_filter", detail) from error
    return await export_response(frame.context, staff.actor, what, made, filters)
