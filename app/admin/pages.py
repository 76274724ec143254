"""The dashboard: signing in, the overview, and one customer's timeline."""

from datetime import datetime
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from app.admin.auth import StaffDep, cookie_name
from app.admin.rows import CUSTOMERS
from app.admin.rules import sees_people
from app.admin.staff import (
    SESSION_LASTS,
    SignedIn,
    is_login_link,
    sign_in,
    sign_in_by_password,
    sign_out,
)
from app.admin.texts import moment_text
from app.admin.view import overview_values
from app.base import clock
from app.base.config import Settings
from app.base.errors import AppError, NotFound
from app.base.failure_limit import FailureLimit
from app.base.i18n import N_, SOURCE, long_date, translate
from app.base.ids import parse_public_id
from app.base.web.context import ContextDep, SessionDep
from app.base.web.lookup_limit import get_lookup_limit, rate_limited_page
from app.base.web.pages import not_found_page, page
from app.base.web.problems import refuse_unstorable
from app.brands.find import load_brand
from app.brands.models import Brand
from app.insight.overview import Overview, overview
from app.insight.periods import Period, last_days, read_period
from app.insight.schemas import TimelineEntry
from app.insight.timeline import timeline
from app.insight.ttl_cache import TtlCache

LANGUAGE = SOURCE
"""The dashboard is in English only: a staff member has no language yet."""


async def _require_same_site(request: Request) -> None:
    """Raise AppError (403) for a form of another site.

    `Sec-Fetch-Site` and not `Origin`, since our pages send no origin.
    """
    site = request.headers.get("sec-fetch-site", "none")
    if request.method == "POST" and site not in ("same-origin", "none"):
        raise AppError(
            "foreign_form",
            "This form was sent from another site; open the page itself and try again.",
            status=403,
        )


router = APIRouter(prefix="/admin", include_in_schema=False, dependencies=[Depends(_require_same_site)])

_ALL_TIME = N_("All time")
PERIODS = {
    "7": N_("7 days"),
    "30": N_("30 days"),
    "90": N_("90 days"),
    "365": N_("1 year"),
    "all": _ALL_TIME,
}


WRONG_PASSWORDS = 20
"""Wrong passwords allowed for one person in ten minutes, from whatever address."""


def _sign_in_page(*, email: str = "", is_wrong: bool = False) -> Response:
    return page("admin/sign_in.html", {"email": email, "is_wrong": is_wrong}, status=401)


def _password_limit(request: Request) -> FailureLimit:
    """The application's counter of wrong passwords, by the address that was entered."""
    state = request.app.state
    if not hasattr(state, "password_limit"):
        state.password_limit = FailureLimit(WRONG_PASSWORDS, in_all=1_000)
    return state.password_limit  # type: ignore[no-any-return]  # starlette's state is untyped


@router.post("/login")
async def use_password(request: Request, context: ContextDep, session: SessionDep) -> Response:
    """Sign this browser in by a password; a wrong one and an unknown address look alike."""
    email, password = await _credentials(request)
    entered, limit = email.strip().casefold(), _password_limit(request)
    if get_lookup_limit(request).is_limited(request) or limit.is_limited(entered):
        return rate_limited_page()
    cookie = await sign_in_by_password(session, context.tokens, email, password, now=clock.now())
    if cookie is None:
        get_lookup_limit(request).record_failure(request)
        limit.record_failure(entered)
        return _sign_in_page(email=email, is_wrong=True)
    return _signed_in(cookie, context.settings)


async def _credentials(request: Request) -> tuple[str, str]:
    """Address and password of the sign-in form; empty where the body is no such form."""
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=10)
    except ValueError:
        return "", ""
    email, password = fields.get("email", [""])[0], fields.get("password", [""])[0]
    refuse_unstorable(email, password)
    return email[:320], password


@router.get("/login/{token}")
async def show_login(request: Request, token: str, context: ContextDep, session: SessionDep) -> Response:
    """A page with a button: opening a link does not use it up, since mail scanners open links."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    if not await is_login_link(session, context.tokens, token, now=clock.now()):
        get_lookup_limit(request).record_failure(request)
        return not_found_page()
    return page("admin/login.html", {"token": token})


@router.post("/login/{token}")
async def use_login(request: Request, token: str, context: ContextDep, session: SessionDep) -> Response:
    """Use the link up, sign this browser in and redirect to the overview."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    cookie = await sign_in(session, context.tokens, token, now=clock.now())
    if cookie is None:
        get_lookup_limit(request).record_failure(request)
        return not_found_page()
    return _signed_in(cookie, context.settings)


def _signed_in(cookie: str, settings: Settings) -> Response:
    """A redirect to the overview that stores the session's cookie."""
    response = RedirectResponse("/admin", 303)
    response.set_cookie(
        cookie_name(settings.public_url),
        cookie,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.public_url.startswith("https://"),
    )
    return response


@router.post("/logout")
async def log_out(staff: StaffDep, context: ContextDep, session: SessionDep) -> Response:
    """End this browser's session."""
    if staff is not None:
        await sign_out(session, staff)
    response = RedirectResponse("/admin", 303)
    public_url = context.settings.public_url
    response.delete_cookie(
        cookie_name(public_url), httponly=True, samesite="lax", secure=public_url.startswith("https://")
    )
    return response


@router.get("")
async def show_overview(request: Request, staff: StaffDep, session: SessionDep) -> Response:
    """The period's numbers, compared with those of the period before."""
    if staff is None:
        return _sign_in_page()
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
        return _sign_in_page()
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
