"""The dashboard: signing in by a one-time link, the overview, and one person's time line."""

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from app.admin.rows import CUSTOMERS, customer
from app.admin.rules import mask_email, mask_name, sees_people
from app.admin.staff import SESSION_LASTS, SignedIn, is_login_link, sign_in, sign_out, who_is
from app.admin.view import overview_values
from app.base import clock
from app.base.errors import AppError, NotFound
from app.base.ids import parse_public_id, public_id
from app.base.web.context import ContextDep, SessionDep
from app.base.web.lookup_limit import get_lookup_limit, rate_limited_page
from app.base.web.pages import not_found_page, page
from app.brands.find import load_brand
from app.brands.models import Brand
from app.insight.overview import Overview, overview
from app.insight.periods import Period, last_days, read_period
from app.insight.timeline import timeline
from app.insight.ttl_cache import TtlCache


async def _from_our_own_page(request: Request) -> None:
    """Forms of other sites are refused. Browsers say where a form stands; `Origin` would not do, since our pages hide theirs."""
    site = request.headers.get("sec-fetch-site", "none")
    if request.method == "POST" and site not in ("same-origin", "none"):
        raise AppError(
            "foreign_form",
            "This form was sent from another site; open the page itself and try again.",
            status=403,
        )


router = APIRouter(prefix="/admin", include_in_schema=False, dependencies=[Depends(_from_our_own_page)])

COOKIE = "tenfold_session"
PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year", "all": "All time"}


async def _person(request: Request, context: ContextDep, session: SessionDep) -> SignedIn | None:
    return await who_is(session, context.tokens, request.cookies.get(COOKIE, ""), now=clock.now())


Person = Annotated[SignedIn | None, Depends(_person, scope="function")]


def _sign_in_first() -> Response:
    return page("admin/sign_in.html", {}, status=401)


@router.get("/login/{token}")
async def show_login(request: Request, token: str, context: ContextDep, session: SessionDep) -> Response:
    """A page with a button: looking at a link does not use it up, so a mail scanner cannot."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    if not await is_login_link(session, context.tokens, token, now=clock.now()):
        get_lookup_limit(request).record_failure(request)
        return not_found_page()
    return page("admin/login.html", {"token": token})


@router.post("/login/{token}")
async def use_login(request: Request, token: str, context: ContextDep, session: SessionDep) -> Response:
    """Sign this browser in and lead to the overview; the link is used up."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    cookie = await sign_in(session, context.tokens, token, now=clock.now())
    if cookie is None:
        get_lookup_limit(request).record_failure(request)
        return not_found_page()
    answer = RedirectResponse("/admin", 303)
    lasts = int(SESSION_LASTS.total_seconds())
    secure = context.settings.public_url.startswith("https://")
    answer.set_cookie(
        COOKIE, cookie, max_age=lasts, path="/admin", httponly=True, samesite="lax", secure=secure
    )
    return answer


@router.post("/logout")
async def log_out(person: Person, session: SessionDep) -> Response:
    """End this browser's session."""
    if person is not None:
        await sign_out(session, person)
    answer = RedirectResponse("/admin", 303)
    answer.delete_cookie(COOKIE, path="/admin")
    return answer


@router.get("")
async def show_overview(request: Request, person: Person, session: SessionDep) -> Response:
    """The period's numbers beside those of the one before."""
    if person is None:
        return _sign_in_first()
    brand = await load_brand(session, person.brand_id)
    asked = request.query_params
    try:
        chosen, period = _period(asked.get("days"), asked.get("from"), asked.get("to"), brand)
    except AppError:
        return RedirectResponse("/admin", 303)
    found = await _kept(request).get(
        (brand.id, brand.time_zone, period), lambda: overview(session, brand, period)
    )
    values = overview_values(found, brand, pii=sees_people(person.role))
    for row in values["latest"]:
        row["name"] = _called(row.pop("person"), person)
    return page(
        "admin/overview.html",
        {
            **_frame(brand, person, "overview"),
            **values,
            "periods": PERIODS,
            "chosen": chosen,
            "period": _said(period, brand),
        },
    )


@router.get("/customers/{id}")
async def show_person(id: str, person: Person, context: ContextDep, session: SessionDep) -> Response:  # noqa: A002  # the path's own word
    """Everything that happened to one person, and why something did not."""
    if person is None:
        return _sign_in_first()
    try:
        customer_id = parse_public_id("cus", id)
    except NotFound:
        return not_found_page()
    row = (await session.execute(CUSTOMERS.rows(person.brand_id).where(CUSTOMERS.key == customer_id))).first()
    if row is None:
        return not_found_page()
    brand = await load_brand(session, person.brand_id)
    zone = ZoneInfo(brand.time_zone)
    happened = await timeline(
        session, context.tokens, person.brand_id, customer_id, pii=sees_people(person.role)
    )
    story = [
        {"at": each.at.astimezone(zone), "kind": each.kind.replace("_", " "), "text": each.text}
        for each in happened
    ]
    shape = customer(row, sees_people(person.role))
    return page("admin/person.html", {**_frame(brand, person, "person"), "person": shape, "story": story})


def _kept(request: Request) -> TtlCache[Overview]:
    """The application's own memory of overviews: those of a large brand take seconds to gather."""
    state = request.app.state
    if not hasattr(state, "overviews"):
        state.overviews = TtlCache[Overview]()
    return state.overviews  # type: ignore[no-any-return]  # starlette's state is untyped


def _frame(brand: Brand, person: SignedIn, where: str) -> dict[str, Any]:
    return {
        "lang": "en",
        "brand_name": brand.name,
        "postal_address": brand.postal_address,
        "signed_in": person.email,
        "where": where,
        "zone": brand.time_zone,
    }


def _period(days: str | None, start: str | None, end: str | None, brand: Brand) -> tuple[str, Period]:
    if start or end:
        return "", read_period(start, end, brand.time_zone)
    chosen = days if days in PERIODS else "90"
    return chosen, Period() if chosen == "all" else last_days(int(chosen), brand.time_zone, now=clock.now())


def _said(period: Period, brand: Brand) -> str:
    def day(at: datetime) -> str:
        return f"{at.astimezone(ZoneInfo(brand.time_zone)):%d %b %Y}".lstrip("0")

    if period.start and period.end:
        return f"{day(period.start)} to before {day(period.end)}"
    if period.start:
        return f"since {day(period.start)}"
    return f"before {day(period.end)}" if period.end else "All time"


def _called(row: Any, person: SignedIn) -> dict[str, str]:
    """How a customer is called in a list: by name, else by address, masked for who may not see people."""
    name = " ".join(part for part in (row.first_name, row.last_name) if part)
    if not sees_people(person.role):
        name, email = mask_name(name) or "", mask_email(row.email) or ""
    else:
        email = row.email or row.phone or ""
    return {"id": public_id("cus", row.customer_id), "text": name or email or "Somebody"}
