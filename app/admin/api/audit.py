"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import ColumnElement

from app.admin.api.numbers import From, To
from app.admin.api.route import ApiRoute
from app.admin.audit_filters import by_actor, by_subject, within_period
from app.admin.auth import Administrator
from app.admin.listing import PageDep, list_page, matches
from app.admin.rows import AUDIT
from app.admin.schemas import AuditRow
from app.base.audit import AuditAction, AuditEntry
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.brands.find import load_brand
from app.insight.periods import read_period

router = APIRouter(tags=["audit"], route_class=ApiRoute)
_Id = Annotated[str | None, Query(max_length=60)]


@router.get("/audit")
async def list_audit(
    caller: Administrator,
    wanted: PageDep,
    session: SessionDep,
    action: AuditAction | None = None,
    actor: Annotated[_Id, Query(description="Who: `stf_…`, `key_…` or `cli`.")] = None,
    subject: Annotated[_Id, Query(description="What it was done to, by its id.")] = None,
    start: From = None,
    end: To = None,
) -> Page[AuditRow]:
    """What keys, staff and commands changed and read, newest first; values need the scope `pii`."""
    brand = await load_brand(session, caller.brand_id)
    chosen: list[ColumnElement[bool]] = [
        matches(AuditEntry.action, action),
        by_actor(actor),
        by_subject(subject),
        within_period(read_period(start, end, brand.time_zone)),
    ]
    return await list_page(session, wanted, caller, AUDIT, *chosen)
