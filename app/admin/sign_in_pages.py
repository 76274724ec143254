"""Pages to sign in and out: by a password, by a one-time link, with a code after either."""

from typing import Annotated
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.background import BackgroundTask
from starlette.responses import RedirectResponse, Response

from app.admin.auth import ACCOUNT, StaffDep, cookie_name
from app.admin.csrf import FIELD, csrf_field, require_own_form, require_same_site
from app.admin.devices import device_of
from app.admin.find_sessions import find_waiting
from app.admin.guesses import Guess, count_guess, take_guess_back
from app.admin.links import FoundLink, find_link
from app.admin.rules import CODE_WAITS, SESSION_LASTS, LinkKind, LinkState, SessionStage, own_path
from app.admin.second_factor import is_code
from app.admin.sessions import NewSession, end_session_of, finish_code, sign_out
from app.admin.sign_in import other_brands, sign_in, sign_in_by_password, staff_to_mail, switch_brand
from app.admin.sign_in_limits import get_askers, guesser
from app.admin.staff import SignedIn
from app.admin.staff_mail import mail_login_link
from app.base import clock
from app.base.config import Settings
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.log import logger
from app.base.web.context import ContextDep, SessionDep, get_context
from app.base.web.lookup_limit import address_of, get_lookup_limit, rate_limited_page
from app.base.web.pages import not_found_page, page
from app.base.web.problems import refuse_unstorable
from app.brands.find import load_brand

log = logger(__name__)

router = APIRouter(prefix="/admin", include_in_schema=False, dependencies=[Depends(require_same_site)])
_BROWSER_LASTS = 365 * 24 * 3600
_Fields = dict[str, str]


def sign_in_page(
    *,
    email: str = "",
    is_wrong: bool = False,
    too_many: bool = False,
    is_signed_out: bool = False,
    back_to: str = "",
) -> Response:
    """The page to sign in on, also for who opens another page without a session.

    It then leads to `back_to`, a path of the dashboard.
    """
    values = {
        "email": email,
        "is_wrong": is_wrong,
        "too_many": too_many,
        "is_signed_out": is_signed_out,
        "back_to": own_path(back_to),
    }
    headers = {"Retry-After": "60"} if too_many else None
    return page("admin/sign_in.html", values, status=429 if too_many else 401, headers=headers)


@router.get("/login")
async def show_sign_in(
    staff: StaffDep,
    back_to: Annotated[str, Query(max_length=2_000, alias="next")] = "",
    out: Annotated[str, Query(max_length=1)] = "",
) -> Response:
    """The page to sign in on; the overview for who has. With `out` it says that they signed out."""
    if staff is not None:
        return RedirectResponse("/admin", 303)
    return sign_in_page(back_to=back_to, is_signed_out=bool(out))


@router.post("/login")
async def use_password(request: Request, context: ContextDep, session: SessionDep) -> Response:
    """Sign this browser in by a password; a wrong one and an unknown address look alike."""
    fields, now = await _fields(request), clock.now()
    email, back_to = fields.get("email", "")[:320], fields.get("back_to", "")
    entered = email.strip().casefold()
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    known = request.cookies.get(browser_cookie(context.settings), "")
    who = await guesser(context, entered, known)
    if not await count_guess(context, Guess.password, who, now=now):
        return sign_in_page(email=email, too_many=True, back_to=back_to)
    made = await sign_in_by_password(
        session, context.tokens, email, fields.get("password", ""), device=_device(request), now=now
    )
    if made is None:
        get_lookup_limit(request).record_failure(request)
        return sign_in_page(email=email, is_wrong=True, back_to=back_to)
    await take_guess_back(session, context.tokens, Guess.password, who)
    return await enter(request, session, made, back_to)


@router.post("/login/link")
async def ask_for_link(request: Request) -> Response:
    """Mail a one-time link; the response is the same, and as fast, for an unknown address."""
    fields, askers = await _fields(request), get_askers(request)
    email = fields.get("email", "").strip()[:320]
    if get_lookup_limit(request).is_limited(request) or askers.is_limited(address_of(request)):
        return rate_limited_page()
    askers.record_failure(address_of(request))
    context, device = get_context(request), _device(request)
    shown = page("admin/link_sent.html", {"email": email})
    shown.background = BackgroundTask(_mail_link, context, email, device)
    return shown


async def _mail_link(context: AppContext, email: str, device: str) -> None:
    address, now = email.casefold(), clock.now()
    try:
        async with context.reading_sessions() as reading:
            person = await staff_to_mail(reading, address)
        if person is None or not await count_guess(context, Guess.link, address, now=now):
            return
        async with context.sessions.begin() as session:
            await mail_login_link(session, *person, device=device, now=now)
    except AppError as error:
        log.warning("a link to sign in was not mailed", why=error.code)


@router.get("/login/code")
async def show_code(request: Request, context: ContextDep, session: SessionDep) -> Response:
    """The page that asks for the code of the authenticator."""
    waiting = await find_waiting(session, context.tokens, _cookie(request), now=clock.now())
    if waiting is None:
        return RedirectResponse("/admin", 303)
    return page(
        "admin/code.html", {"csrf": waiting.form_token, "back_to": request.query_params.get("next", "")}
    )


@router.post("/login/code")
async def use_code(request: Request, context: ContextDep, session: SessionDep) -> Response:
    """Sign this browser in by a code of the authenticator, or a recovery code."""
    now, fields = clock.now(), await _fields(request)
    async with context.reading_sessions() as reading:
        waiting = await find_waiting(reading, context.tokens, _cookie(request), now=now)
    if waiting is None:
        return RedirectResponse("/admin", 303)
    if not context.tokens.is_form_token(fields.get(FIELD, ""), waiting.session_id):
        raise AppError("stale_form", "This form is of an earlier session; sign in again.", status=403)
    who = str(waiting.staff_id)
    if not await count_guess(context, Guess.code, who, now=now):
        return rate_limited_page()
    back_to = fields.get("back_to", "")
    if not await is_code(session, context.tokens, waiting, fields.get("code", ""), now=now):
        values = {"csrf": waiting.form_token, "is_wrong": True, "back_to": back_to}
        return page("admin/code.html", values, status=401)
    await take_guess_back(session, context.tokens, Guess.code, who)
    made = await finish_code(session, context.tokens, waiting, device=_device(request), now=now)
    return await enter(request, session, made, back_to)


@router.get("/login/{token}")
async def show_link(
    request: Request, token: str, context: ContextDep, session: SessionDep, staff: StaffDep
) -> Response:
    """A page with a button: opening a link does not use it up, since mail scanners open links."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    link = await find_link(session, context.tokens, token, now=clock.now())
    if link is None or link.state is not LinkState.usable:
        return _dead_link(request, link, staff)
    brand = await load_brand(session, link.brand_id)
    values = {"token": token, "brand": brand.name, "is_invitation": link.kind is LinkKind.invitation}
    return page("admin/login.html", values)


@router.post("/login/{token}")
async def use_login(
    request: Request, token: str, context: ContextDep, session: SessionDep, staff: StaffDep
) -> Response:
    """Use the link up and sign this browser in."""
    if get_lookup_limit(request).is_limited(request):
        return rate_limited_page()
    now = clock.now()
    link = await find_link(session, context.tokens, token, now=now)
    made = await sign_in(session, context.tokens, token, device=_device(request), now=now)
    if made is None:
        spent = await find_link(session, context.tokens, token, now=now)
        return _dead_link(request, spent, staff)
    joins = link is not None and link.kind is LinkKind.invitation
    return await enter(request, session, made, ACCOUNT if joins else "")


def _dead_link(request: Request, link: FoundLink | None, staff: SignedIn | None) -> Response:
    """Who is signed in needs no link; who knows one of ours learns why it does not work."""
    if link is None:
        get_lookup_limit(request).record_failure(request)
        return not_found_page()
    if staff is not None:
        return RedirectResponse("/admin", 303)
    return page("admin/link_over.html", {"state": link.state, "kind": link.kind}, status=410)


async def enter(request: Request, session: AsyncSession, made: NewSession, back_to: str = "") -> Response:
    """A redirect that gives the browser its new session; the one that it had ends.

    It leads to the page for the code where one is missing, else to `back_to`.
    """
    target = own_path(back_to) or "/admin"
    if made.stage is SessionStage.code:
        target = "/admin/login/code" + (f"?{urlencode({'next': target})}" if back_to else "")
    await end_session_of(session, get_context(request).tokens, _cookie(request))
    return give_session(RedirectResponse(target, 303), get_context(request), made)


def give_session(response: Response, context: AppContext, made: NewSession) -> Response:
    """The response with the cookie of a new session."""
    settings = context.settings
    lasts = SESSION_LASTS if made.stage is SessionStage.open else CODE_WAITS
    name = cookie_name(settings.public_url)
    _set_cookie(response, settings, name, made.cookie, int(lasts.total_seconds()))
    if made.stage is SessionStage.open:
        browser = context.tokens.link("browser", made.brand_id, made.staff_id)
        _set_cookie(response, settings, browser_cookie(settings), browser, _BROWSER_LASTS)
    return response


def browser_cookie(settings: Settings) -> str:
    """The name of the cookie by which a browser is known in which somebody has signed in.

    It opens nothing: wrong passwords elsewhere do not count against such a browser.
    """
    return cookie_name(settings.public_url).replace("session", "browser")


def _set_cookie(response: Response, settings: Settings, name: str, value: str, seconds: int) -> None:
    secure = settings.public_url.startswith("https://")
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=secure)


@router.post("/logout", dependencies=[Depends(require_own_form)])
async def log_out(staff: StaffDep, context: ContextDep, session: SessionDep) -> Response:
    """End this browser's session."""
    if staff is not None:
        await sign_out(session, staff)
    response = RedirectResponse("/admin/login?out=1", 303)
    public_url = context.settings.public_url
    response.delete_cookie(
        cookie_name(public_url), httponly=True, samesite="lax", secure=public_url.startswith("https://")
    )
    return response


@router.get("/brands")
async def show_brands(staff: StaffDep, session: SessionDep) -> Response:
    """The brands that a person may go on to."""
    if staff is None:
        return sign_in_page(back_to="/admin/brands")
    brand = await load_brand(session, staff.brand_id)
    others = await other_brands(session, staff)
    values = {"brand": brand.name, "others": others, "proven": staff.proven, "email": staff.email}
    return page("admin/brands.html", {**values, "csrf_field": csrf_field(staff)})


@router.post("/brands", dependencies=[Depends(require_own_form)])
async def change_brand(
    request: Request, staff: StaffDep, context: ContextDep, session: SessionDep
) -> Response:
    """Go on to another brand, in a session of its own."""
    assert staff is not None  # noqa: S101  # `require_own_form` leads others away
    slug = (await _fields(request)).get("brand", "")
    made = await switch_brand(session, context.tokens, staff, slug, device=_device(request), now=clock.now())
    return await enter(request, session, made)


def _device(request: Request) -> str:
    return device_of(request.headers.get("user-agent", ""))


def _cookie(request: Request) -> str:
    return request.cookies.get(cookie_name(get_context(request).settings.public_url), "")


async def _fields(request: Request) -> _Fields:
    """The form's fields; empty where the body is no form. Raises AppError (422) for a zero byte."""
    try:
        fields = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    texts = {name: values[-1] for name, values in fields.items()}
    refuse_unstorable(*texts.values())
    return texts
