"""The audit log."""

from fastapi import APIRouter

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator
from app.admin.listing import PageDep, list_page, matches
from app.admin.rows import AUDIT
from app.admin.schemas import AuditRow
from app.base.audit import AuditAction, AuditEntry
from app.base.schemas import Page
from app.base.web.context import SessionDep

router = APIRouter(tags=["audit"], route_class=ApiRoute)


@router.get("/audit")
async def list_audit(
    caller: Administrator, wanted: PageDep, session: SessionDep, action: AuditAction | None = None
) -> Page[AuditRow]:
    """What keys, staff and commands changed, newest first; values need the scope `pii`."""
    return await list_page(session, wanted, caller, AUDIT, matches(AuditEntry.action, action))
