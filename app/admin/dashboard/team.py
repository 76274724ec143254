"""Settings, Team: who may do what, invitations, and where colleagues are signed in."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.responses import Response

from app.admin.auth import ACCOUNT, refuse_unconfirmed
from app.admin.dashboard.access import AdminWriter, ForAdmin, confirmed_writer, screen_router
from app.admin.dashboard.form import Form
from app.admin.dashboard.frame import Frame
from app.admin.keys import keys_of
from app.admin.listing import PageRequest, get_row, list_page
from app.admin.rows import STAFF
from app.admin.rules import Role
from app.admin.schemas import SessionRow, StaffRow
from app.admin.second_factor import remove_totp
from app.admin.sessions import end_sessions, list_sessions
from app.admin.staff import change_staff, lock_staff, remove_staff
from app.admin.staff_mail import invite, resend_invitation
from app.admin.views.team import member_rows, role_choices
from app.base import clock
from app.base.errors import AppError
from app.base.i18n import SOURCE, translate
from app.base.ids import parse_public_id

TEAM = "/admin/settings/team"
_AT_ONCE = 100
router = screen_router(TEAM)
Inviting = Annotated[tuple[Frame, Form], Depends(confirmed_writer(f"{TEAM}/invite"), scope="function")]
Changing = Annotated[tuple[Frame, Form], Depends(confirmed_writer(f"{TEAM}/{{id}}"), scope="function")]


@router.get("")
async def show_team(frame: ForAdmin) -> Response:
    """Everybody of the brand, newest first."""
    wanted = PageRequest(frame.context.tokens, _AT_ONCE, frame.request.query_params.get("cursor"))
    found = await list_page(frame.session, wanted, frame.staff.actor, STAFF)
    values = {
        "members": member_rows(found.data, {shop.slug: shop.name for shop in frame.shops}),
        "older": frame.here(cursor=found.next_cursor) if found.next_cursor else "",
    }
    return frame.page("admin/team.html", "team", values)


@router.get("/invite")
async def show_invite(frame: ForAdmin) -> Response:
    """The form of an invitation."""
    refuse_unconfirmed(frame.staff, f"{TEAM}/invite")
    return _invite_page(frame, {"email": "", "role": Role.marketer, "shops": []})


def _invite_page(frame: Frame, entered: dict[str, object], error: AppError | None = None) -> Response:
    values = {
        "entered": entered,
        "roles": role_choices(),
        "errors": {} if error is None else {_FIELDS.get(error.code, "email"): error.detail},
    }
    return frame.page("admin/team_invite.html", "team", values, status=422 if error else 200)


_FIELDS = {"bad_shops": "shops", "unknown_shop": "shops", "bad_role": "role"}
"""The field that is at fault, by the code of an error; any other is about the address."""


@router.post("/invite")
async def send_invite(writer: Inviting) -> Response:
    """Mail an invitation."""
    frame, form = writer
    email, role, shops = form.text("email", limit=320), form.text("role"), _chosen_shops(form)
    try:
        await invite(
            frame.session,
            frame.brand.id,
            email,
            _role(role),
            shops=shops,
            actor=frame.staff.actor,
            now=clock.now(),
        )
    except AppError as error:
        return _invite_page(frame, {"email": email, "role": role, "shops": shops or []}, error)
    return frame.redirect(TEAM, translate(SOURCE, "%(email)s is invited.", email=email))


def _role(word: str) -> Role:
    if word not in set(Role):
        raise AppError("bad_role", translate(SOURCE, "Choose a role."))
    return Role(word)


def _chosen_shops(form: Form) -> list[str] | None:
    """The slugs that were chosen; None for every shop."""
    return form.texts("shops") if form.text("access") == "some" else None


@router.get("/{id}")
async def show_member(id: str, frame: ForAdmin) -> Response:  # noqa: A002  # the path's own word
    """One colleague: access, invitation, sessions, keys."""
    return await _member_page(frame, await _find(frame, id))


async def _find(frame: Frame, shown_id: str) -> StaffRow:
    return await get_row(frame.session, frame.staff.actor, STAFF, parse_public_id("stf", shown_id))


async def _member_page(frame: Frame, member: StaffRow, error: AppError | None = None) -> Response:
    staff_id = _id(member)
    sessions = await list_sessions(frame.session, frame.brand.id, staff_id, now=clock.now())
    values = {
        "member": member_rows([member], {shop.slug: shop.name for shop in frame.shops})[0],
        "roles": role_choices(),
        "is_self": staff_id == frame.staff.staff_id,
        "sessions": [SessionRow.of(each) for each in sessions],
        "keys": await keys_of(frame.session, frame.brand.id, staff_id),
        "errors": {} if error is None else {_FIELDS.get(error.code, "role"): error.detail},
        "account": ACCOUNT,
    }
    return frame.page("admin/team_member.html", "team", values, status=422 if error else 200)


def _id(member: StaffRow) -> UUID:
    return parse_public_id("stf", member.id)


@router.post("/{id}/access")
async def save_access(id: str, writer: Changing) -> Response:  # noqa: A002  # the path's own word
    """Another role, other shops."""
    frame, form = writer
    member = await _find(frame, id)
    try:
        changed = await change_staff(
            frame.session,
            frame.brand.id,
            _id(member),
            _role(form.text("role")),
            _chosen_shops(form),
            actor=frame.staff.actor,
        )
    except AppError as error:
        return await _member_page(frame, member, error)
    done = translate(SOURCE, "Saved. It holds from their next page on.")
    if changed.keys_ended:
        done += " " + translate(SOURCE, "Keys that ended: %(count)s.", count=changed.keys_ended)
    return frame.redirect(f"{TEAM}/{id}", done)


@router.post("/{id}/invitation")
async def send_again(id: str, writer: Changing) -> Response:  # noqa: A002  # the path's own word
    """A new invitation."""
    frame, _ = writer
    member = await _find(frame, id)
    await resend_invitation(
        frame.session, frame.brand.id, _id(member), actor=frame.staff.actor, now=clock.now()
    )
    done = translate(SOURCE, "A new invitation is on its way; the link before works no more.")
    return frame.redirect(f"{TEAM}/{id}", done)


@router.post("/{id}/authenticator/remove")
async def remove_authenticator(id: str, writer: Changing) -> Response:  # noqa: A002  # as above
    """Ask them for no codes any more, as when their phone is lost."""
    frame, _ = writer
    person = await lock_staff(frame.session, frame.brand.id, parse_public_id("stf", id))
    await remove_totp(frame.session, person, actor=frame.staff.actor)
    return frame.redirect(f"{TEAM}/{id}", translate(SOURCE, "Removed. They set up another one."))


@router.post("/{id}/sessions/end")
async def end_all(id: str, writer: AdminWriter) -> Response:  # noqa: A002  # the path's own word
    """Sign them out everywhere. It protects, so nobody is asked who they are first."""
    frame, _ = writer
    member = await _find(frame, id)
    await end_sessions(frame.session, frame.brand.id, _id(member), actor=frame.staff.actor)
    return frame.redirect(f"{TEAM}/{id}", translate(SOURCE, "They are signed out everywhere."))


@router.post("/{id}/sessions/{session_id}/end")
async def end_one(id: str, session_id: str, writer: AdminWriter) -> Response:  # noqa: A002  # as above
    """End one of their sessions."""
    frame, _ = writer
    member, only = await _find(frame, id), parse_public_id("ses", session_id)
    await end_sessions(frame.session, frame.brand.id, _id(member), only=only, actor=frame.staff.actor)
    return frame.redirect(f"{TEAM}/{id}", translate(SOURCE, "The session has ended."))


@router.post("/{id}/remove")
async def remove(id: str, writer: Changing) -> Response:  # noqa: A002  # the path's own word
    """Remove them, or revoke their invitation; what they hold ends."""
    frame, form = writer
    member = await _find(frame, id)
    removed = await remove_staff(
        frame.session,
        frame.brand.id,
        _id(member),
        actor=frame.staff.actor,
        keep_keys=form.is_on("keep_keys"),
    )
    done = translate(SOURCE, "%(email)s is removed and signed out.", email=member.email)
    if removed.keys_ended:
        done += " " + translate(SOURCE, "Keys that ended: %(count)s.", count=removed.keys_ended)
    return frame.redirect(TEAM, done)
