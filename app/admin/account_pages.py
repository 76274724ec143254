"""A person's own account: password, second factor, sessions, and showing once more who they are."""

from typing import Annotated
from zoneinfo import ZoneInfo

from babel.dates import get_day_names
from fastapi import APIRouter, Depends, Query, Request
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse, Response

from app.admin.auth import ACCOUNT, StaffDep, require_confirmed
from app.admin.csrf import csrf_field, require_own_form
from app.admin.devices import device_of
from app.admin.digest import set_digest
from app.admin.guesses import Guess, count_guess, take_guess_back
from app.admin.models import Staff
from app.admin.passwords import MAXIMUM_LENGTH, MINIMUM_LENGTH
from app.admin.rules import is_confirmed, needs_second_factor, own_path
from app.admin.second_factor import (
    is_code,
    new_totp,
    recovery_codes_left,
    remove_totp,
    set_up_totp,
    totp_key,
    totp_qr,
)
from app.admin.sessions import end_sessions, list_sessions, note_confirmed, renew_session
from app.admin.sign_in import confirms
from app.admin.sign_in_pages import give_session, sign_in_page
from app.admin.staff import SignedIn, lock_staff, set_password
from app.admin.texts import moment_text
from app.base import clock
from app.base.config import Environment
from app.base.context import AppContext
from app.base.errors import AppError
from app.base.i18n import SOURCE
from app.base.ids import parse_public_id, public_id
from app.base.web.context import ContextDep, SessionDep
from app.base.web.lookup_limit import rate_limited_page
from app.base.web.pages import page
from app.brands.find import load_brand
from app.brands.models import Brand

router = APIRouter(prefix=ACCOUNT, include_in_schema=False, dependencies=[Depends(require_own_form)])
Confirmed = Annotated[SignedIn, Depends(require_confirmed(ACCOUNT), scope="function")]


@router.get("")
async def show_account(staff: StaffDep, context: ContextDep, session: SessionDep) -> Response:
    """What the person may change about how they sign in."""
    if staff is None:
        return sign_in_page(back_to=ACCOUNT)
    return await _account(session, context, staff)


async def _account(
    session: AsyncSession, context: AppContext, staff: SignedIn, *, problem: str = "", status: int = 200
) -> Response:
    brand = await load_brand(session, staff.brand_id)
    found = await list_sessions(session, staff.brand_id, staff.staff_id, now=clock.now())
    zone = ZoneInfo(brand.time_zone)
    sessions = [
        {
            "id": public_id("ses", each.id),
            "device": each.device,
            "is_this": each.id == staff.session_id,
            "began": moment_text(each.began_at.astimezone(zone), SOURCE),
            "seen": moment_text(each.last_seen_at.astimezone(zone), SOURCE),
        }
        for each in found
    ]
    values = {
        **_values(staff, brand),
        "sessions": sessions,
        "codes_left": await recovery_codes_left(session, staff),
        "may_remove": not _is_required(staff, context),
        "shortest": MINIMUM_LENGTH,
        "longest": MAXIMUM_LENGTH,
        "problem": problem,
        "days": _days(),
        "digest_day": await session.scalar(
            select(Staff.digest_day).where(Staff.brand_id == staff.brand_id, Staff.id == staff.staff_id)
        ),
        "zone": brand.time_zone,
    }
    return page("admin/account.html", values, status=status)


def _values(staff: SignedIn, brand: Brand) -> dict[str, object]:
    return {"me": staff, "brand": brand.name, "csrf_field": csrf_field(staff)}


def _days() -> list[tuple[int, str]]:
    """The days of the week by number, 1 for Monday."""
    names = get_day_names("wide", locale=SOURCE)
    return [(day, names[day - 1]) for day in range(1, 8)]


def _is_required(staff: SignedIn, context: AppContext) -> bool:
    production = context.settings.env is Environment.production
    return needs_second_factor(staff.role, production=production)


@router.post("/password")
async def change_password(
    request: Request, staff: Confirmed, context: ContextDep, session: SessionDep
) -> Response:
    """Set a password; every session ends but a new one of this browser."""
    password = await _text(request, "password")
    try:
        await set_password(
            session, staff.brand_id, staff.staff_id, password, actor=staff.actor, proven=staff.proven
        )
    except AppError as error:
        return await _account(session, context, staff, problem=error.detail, status=422)
    made = await renew_session(session, context.tokens, staff, device=_device(request), now=clock.now())
    return give_session(RedirectResponse(ACCOUNT, 303), context, made)


@router.post("/digest")
async def change_digest(request: Request, staff: StaffDep, session: SessionDep) -> Response:
    """Mail this person the figures of each week on a day, or no more."""
    if staff is not None:
        day = await _text(request, "day")
        await set_digest(session, staff, int(day) if day in set("1234567") else None, now=clock.now())
    return RedirectResponse(ACCOUNT, 303)


@router.get("/authenticator")
async def show_authenticator(staff: StaffDep, context: ContextDep, session: SessionDep) -> Response:
    """A new secret, as a QR code and as letters, and the field for its first code."""
    if staff is None:
        return sign_in_page(back_to=f"{ACCOUNT}/authenticator")
    if not is_confirmed(staff.times, now=clock.now()):
        return RedirectResponse(f"{ACCOUNT}/confirm?next={ACCOUNT}/authenticator", 303)
    return await _authenticator(session, context, staff, new_totp(context.tokens, staff))


async def _authenticator(
    session: AsyncSession, context: AppContext, staff: SignedIn, sealed: str, *, is_wrong: bool = False
) -> Response:
    brand = await load_brand(session, staff.brand_id)
    values = {
        **_values(staff, brand),
        "sealed": sealed,
        "key": totp_key(context.tokens, staff, sealed),
        "qr": Markup(totp_qr(context.tokens, staff, sealed, brand.name)),  # noqa: S704  # an SVG of ours
        "is_wrong": is_wrong,
        "is_required": _is_required(staff, context),
    }
    return page("admin/authenticator.html", values, status=422 if is_wrong else 200)


@router.post("/authenticator")
async def set_authenticator(
    request: Request, staff: Confirmed, context: ContextDep, session: SessionDep
) -> Response:
    """Ask for codes from now on; shows the recovery codes, and ends every other session."""
    form = await request.form()
    sealed, code, now = str(form.get("sealed", "")), str(form.get("code", "")), clock.now()
    codes = await set_up_totp(session, context.tokens, staff, sealed, code, now=now)
    if codes is None:
        if not totp_key(context.tokens, staff, sealed):
            sealed = new_totp(context.tokens, staff)
        return await _authenticator(session, context, staff, sealed, is_wrong=True)
    await end_sessions(session, staff.brand_id, staff.staff_id, but=staff.session_id, actor=staff.actor)
    made = await renew_session(session, context.tokens, staff, device=_device(request), now=now)
    return give_session(page("admin/recovery_codes.html", {"codes": codes}), context, made)


@router.post("/authenticator/remove")
async def remove_authenticator(staff: Confirmed, context: ContextDep, session: SessionDep) -> Response:
    """Ask for no codes any more; not where an administrator needs one."""
    if _is_required(staff, context):
        raise AppError("second_factor_required", "Administrators keep an authenticator.", status=409)
    await remove_totp(session, await lock_staff(session, staff.brand_id, staff.staff_id), actor=staff.actor)
    return RedirectResponse(ACCOUNT, 303)


@router.post("/sessions/end")
async def end_other_sessions(staff: StaffDep, session: SessionDep) -> Response:
    """End every session of this person but the one that asks."""
    if staff is not None:
        own = staff.brand_id, staff.staff_id
        await end_sessions(session, *own, but=staff.session_id, actor=staff.actor)
    return RedirectResponse(ACCOUNT, 303)


@router.post("/sessions/{id}/end")
async def end_one_session(
    id: str,  # noqa: A002  # the path's own word
    staff: StaffDep,
    session: SessionDep,
) -> Response:
    """End one of this person's sessions."""
    if staff is not None:
        only = parse_public_id("ses", id)
        await end_sessions(session, staff.brand_id, staff.staff_id, only=only, actor=staff.actor)
    return RedirectResponse(ACCOUNT, 303)


@router.get("/confirm")
async def show_confirm(
    staff: StaffDep, session: SessionDep, back_to: Annotated[str, Query(max_length=2_000, alias="next")] = ""
) -> Response:
    """The page on which a person shows once more who they are."""
    if staff is None:
        return sign_in_page(back_to=back_to)
    return await _confirm(session, staff, back_to)


async def _confirm(
    session: AsyncSession, staff: SignedIn, back_to: str, *, is_wrong: bool = False
) -> Response:
    brand = await load_brand(session, staff.brand_id)
    values = {**_values(staff, brand), "back_to": own_path(back_to), "is_wrong": is_wrong}
    return page("admin/confirm.html", values, status=422 if is_wrong else 200)


@router.post("/confirm")
async def confirm(request: Request, staff: StaffDep, context: ContextDep, session: SessionDep) -> Response:
    """Take a password or a code, which then counts for ten minutes."""
    if staff is None:
        return sign_in_page()
    form, now = await request.form(), clock.now()
    password, code, back_to = (str(form.get(name, "")) for name in ("password", "code", "back_to"))
    who = str(staff.staff_id)
    if not await count_guess(context, Guess.code, who, now=now):
        return rate_limited_page()
    if code and staff.has_second_factor:
        is_right = await is_code(session, context.tokens, staff, code, now=now)
    else:
        is_right = bool(password) and await confirms(session, staff, password)
    if not is_right:
        return await _confirm(session, staff, back_to, is_wrong=True)
    await take_guess_back(session, context.tokens, Guess.code, who)
    await note_confirmed(session, staff, now=now)
    return RedirectResponse(own_path(back_to) or "/admin", 303)


async def _text(request: Request, name: str) -> str:
    return str((await request.form()).get(name, ""))


def _device(request: Request) -> str:
    return device_of(request.headers.get("user-agent", ""))
