"""The dashboard: the overview, and one customer's timeline."""

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from app.admin.auth import StaffDep
from app.admin.csrf import csrf_field, require_own_form
from app.admin.rows import CUSTOMERS
from app.admin.rules import sees_people
from app.admin.sign_in_pages import sign_in_page
from app.admin.staff import SignedIn
from app.admin.texts import moment_text
from app.admin.view import overview_values
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.i18n import N_, SOURCE, long_date, translate
from app.base.ids import parse_public_id
from app.base.web.context import ContextDep, SessionDep
from app.base.web.pages import not_found_page, page
from app.brands.find import load_brand
from app.brands.models import Brand
from app.insight.overview import Overview, overview
from app.insight.periods import Period, last_days, read_period
from app.insight.schemas import TimelineEntry
from app.insight.timeline import timeline
from app.insight.ttl_cache import TtlCache

LANGUAGE = SOURCE
"""The dashboard is in English only: a staff member has no language yet."""


router = APIRouter(prefix="/admin", include_in_schema=False, dependencies=[Depends(require_own_form)])

_ALL_TIME = N_("All time")
PERIODS = {
    "7": N_("7 days"),
    "30": N_("30 days"),
    "90": N_("90 days"),
    "365": N_("1 year"),
    "all": _ALL_TIME,
}


@router.get("")
async def show_overview(request: Request, staff: StaffDep, session: SessionDep) -> Response:
    """The period's numbers, compared with those of the period before."""
    if staff is None:
        return sign_in_page()
    brand = await load_brand(session, staff.brand_id)
    query = request.query_params
    try:
        chosen, period = _period(query.get("days"), query.get("from"), query.get("to"), brand)
    except AppError:
        return RedirectResponse("/admin", 303)
    found = await _overviews(request).get(
        (brand.id, brand.time_zone, period), lambda: overview(session, brand, period)
    )
    values = overview_values(found, brand, pii=sees_people(staff.role), language=LANGUAGE)
    return page(
        "admin/overview.html",
        {
            **_layout_values(brand, staff, "overview"),
            **values,
            "periods": {key: translate(LANGUAGE, name) for key, name in PERIODS.items()},
            "chosen": chosen,
            "period": _period_text(period, brand),
        },
    )


@router.get("/customers/{id}")
async def show_customer(
    id: str,  # noqa: A002  # the path's own word
    staff: StaffDep,
    context: ContextDep,
    session: SessionDep,
) -> Response:
    """Everything that happened to one customer, and why something did not."""
    if staff is None:
        return sign_in_page()
    try:
        customer_id = parse_public_id("cus", id)
    except NotFound:
        return not_found_page()
    row = (await session.execute(CUSTOMERS.rows(staff.brand_id).where(CUSTOMERS.key == customer_id))).first()
    if row is None:
        return not_found_page()
    brand, pii = await load_brand(session, staff.brand_id), sees_people(staff.role)
    happened = await timeline(session, context.tokens, brand.id, customer_id, pii=pii, language=LANGUAGE)
    values = {
        **_layout_values(brand, staff, "person"),
        "person": CUSTOMERS.shape(row, pii=pii),
        "entries": [_timeline_row(entry, ZoneInfo(brand.time_zone)) for entry in happened],
    }
    return page("admin/person.html", values)


def _timeline_row(entry: TimelineEntry, zone: ZoneInfo) -> dict[str, object]:
    at = entry.at.astimezone(zone)
    return {
        "at": at,
        "shown_at": moment_text(at, LANGUAGE),
        "kind": entry.kind.replace("_", " "),
        "text": entry.text,
    }


def _overviews(request: Request) -> TtlCache[Overview]:
    """The application's cache of overviews: that of a large brand takes seconds to compute."""
    state = request.app.state
    if not hasattr(state, "overviews"):
        state.overviews = TtlCache[Overview]()
    return state.overviews  # type: ignore[no-any-return]  # starlette's state is untyped


def _layout_values(brand: Brand, staff: SignedIn, where: str) -> dict[str, str | None]:
    return {
        "brand_name": brand.name,
        "postal_address": brand.postal_address,
        **brand.legal_urls,
        "signed_in": staff.email,
        "csrf_field": csrf_field(staff),
        "where": where,
        "zone": brand.time_zone,
    }


def _period(days: str | None, start: str | None, end: str | None, brand: Brand) -> tuple[str, Period]:
    if start or end:
        return "", read_period(start, end, brand.time_zone)
    chosen = days if days in PERIODS else "90"
    return chosen, Period() if chosen == "all" else last_days(int(chosen), brand.time_zone, now=clock.now())


def _period_text(period: Period, brand: Brand) -> str:
    def day(at: datetime) -> str:
        return long_date(at.astimezone(ZoneInfo(brand.time_zone)).date(), LANGUAGE)

    if period.start and period.end:
        start, end = day(period.start), day(period.end)
        return translate(LANGUAGE, "%(start)s to before %(end)s", start=start, end=end)
    if period.start:
        return translate(LANGUAGE, "since %(day)s", day=day(period.start))
    if period.end:
        return translate(LANGUAGE, "before %(day)s", day=day(period.end))
    return translate(LANGUAGE, _ALL_TIME)
