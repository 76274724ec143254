"""Settings, Audit: who changed and read what, and when."""

from collections.abc import Callable

from starlette.responses import RedirectResponse, Response

from app.admin.audit_filters import by_actor, by_subject, within_period
from app.admin.dashboard.access import ForAdmin, screen_router
from app.admin.dashboard.frame import Frame
from app.admin.dashboard.list_exports import links_of
from app.admin.export_rules import ExportName
from app.admin.listing import PageRequest, list_page, matches
from app.admin.rows import AUDIT
from app.admin.views.audit import ACTION_NAMES, Names, audit_rows
from app.admin.views.names import key_names, staff_names
from app.base.audit import AuditAction, AuditEntry
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import public_id
from app.insight.periods import read_period

PATH = "/admin/settings/audit"
_AT_ONCE = 50
router = screen_router(PATH)


@router.get("")
async def show_audit(frame: ForAdmin) -> Response:
    """The log, newest first, by who, what and when."""
    query = frame.request.query_params
    action, who, about = query.get("action"), query.get("actor"), query.get("subject")
    if action and action not in set(AuditAction):
        return RedirectResponse(PATH, 303)
    try:
        period = read_period(query.get("from"), query.get("to"), frame.brand.time_zone)
        conditions = [by_actor(who), by_subject(about), within_period(period)]
    except AppError:
        return RedirectResponse(PATH, 303)
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, query.get("cursor"))
    found = await list_page(
        frame.session,
        wanted,
        frame.staff.actor,
        AUDIT,
        matches(AuditEntry.action, AuditAction(action) if action else None),
        *conditions,
    )
    staff = await staff_names(frame.session, frame.brand.id)
    keys = await key_names(frame.session, frame.brand.id)
    names = Names(staff, keys, {public_id("shp", shop.id): shop.name for shop in frame.shops})
    values = {
        "exports": links_of(
            frame, ExportName.audit, ("action", "actor", "subject", "from", "to"), by_shop=False
        ),
        "rows": audit_rows(found.data, names),
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
        "actors": [*staff.items(), *((key, names.actor(key)) for key in keys), ("cli", names.actor("cli"))],
        "actions": sorted(
            ((each.value, translate(SOURCE, name)) for each, name in ACTION_NAMES.items()),
            key=lambda it: it[1],
        ),
        "chosen": {name: query.get(name, "") for name in ("action", "actor", "from", "to")},
        "chips": _chips(frame, names),
        "clear": PATH,
    }
    return frame.page("admin/audit.html", "audit", values)


def _chips(frame: Frame, names: Names) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    query = frame.request.query_params
    shown: dict[str, Callable[[str], str]] = {
        "action": lambda value: translate(SOURCE, ACTION_NAMES[AuditAction(value)]),
        "actor": names.actor,
        "subject": str,
        "from": lambda value: translate(SOURCE, "from %(day)s", day=value),
        "to": lambda value: translate(SOURCE, "before %(day)s", day=value),
    }
    return [
        {"name": text(query[name]), "href": frame.here(**{name: None})}
        for name, text in shown.items()
        if query.get(name)
    ]
