"""Pages to sign in and out."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from app.admin.auth import StaffDep, cookie_name
from app.admin.csrf import require_own_form, require_same_site
from app.admin.rules import own_path
from app.admin.staff import (
    SESSION_LASTS,
    is_login_link,
    sign_in,
    sign_in_by_password,
    sign_out,
)
from app.base import clock
from app.base.config import Settings
from app.base.failure_limit import FailureLimit
from app.base.web.context import ContextDep, SessionDep
from app.base.web.lookup_limit import get_lookup_limit, rate_limited_page
from app.base.web.pages import not_found_page, page
from app.base.web.problems import refuse_unstorable

router = APIRouter(prefix="/admin", include_in_schema=False, dependencies=[Depends(require_same_site)])

WRONG_PASSWORDS = 20
"""Wrong passwords allowed for one person in ten minutes, from whatever address."""


def sign_in_page(*, email: str = "", is_wrong: bool = False, back_to: str = "") -> Response:
    """The page to sign in on, also for who opens another page without a session.

    It then leads to `back_to`, a path of the dashboard; else to the overview.
    """
    values = {"email": email, "is_wrong": is_wrong, "back_to": own_path(back_to)}
    return page("admin/sign_in.html", values, status=401)


def _password_limit(request: Request) -> FailureLimit:
    """The application's counter of wrong passwords, by the address that was entered."""
    state = request.app.state
    if not hasattr(state, "password_limit"):
        state.password_limit = FailureLimit(WRONG_PASSWORDS, in_all=1_000)
    return state.password_limit  # type: ignore[no-any-return]  # starlette's state is untyped


@router.post("/login")
async def use_password(request: Request, context: ContextDep, session: SessionDep) -> Response:
    """Sign this browser in by a password; a wrong one and an unknown address look alike."""
    email, password, back_to = await _credentials(request)
    entered, limit = email.strip().casefold(), _password_limit(request)
    if get_lookup_limit(request).is_limited(request) or limit.is_limited(entered):
        return rate_limited_page()
    cookie = await sign_in_by_password(session, context.tokens, email, password, now=clock.now())
    if cookie is None:
        get_lookup_limit(request).record_failure(request)
        limit.record_failure(entered)
        return sign_in_page(email=email, is_wrong=True, back_to=back_to)
    return _signed_in(cookie, context.settings, own_path(back_to))


async def _credentials(request: Request) -> tuple[str, str, str]:
    """Address, password and the page to return to; empty where the body is no such form."""
    try:
        fields = parse_qs((await request.body()).decode(), max_num_fields=10)
    except ValueError:
        return "", "", ""
    email, password, back_to = (fields.get(name, [""])[0] for name in ("email", "password", "back_to"))
    refuse_unstorable(email, password, back_to)
    return email[:320], password, back_to


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


def _signed_in(cookie: str, settings: Settings, path: str = "") -> Response:
    """A redirect to the page, else the overview, that stores the session's cookie."""
    response = RedirectResponse(path or "/admin", 303)
    response.set_cookie(
        cookie_name(settings.public_url),
        cookie,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.public_url.startswith("https://"),
    )
    return response


@router.post("/logout", dependencies=[Depends(require_own_form)])
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
