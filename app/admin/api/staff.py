"""The marketing team: who is in it, their access and their sessions."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator
from app.admin.fields import Address, Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.links import login_link_of
from app.admin.listing import PageDep, get_row, list_page
from app.admin.models import Staff
from app.admin.rows import STAFF
from app.admin.rules import Role, may_grant_role
from app.admin.schemas import (
    AddedStaff,
    ChangedStaffRow,
    EndedSessions,
    SessionRow,
    StaffRow,
    StaffStatus,
)
from app.admin.second_factor import remove_totp
from app.admin.sessions import end_sessions, list_sessions
from app.admin.staff import add_staff, change_staff, lock_staff, remove_staff
from app.admin.staff_mail import invite, resend_invitation
from app.base import clock
from app.base.actor import Actor
from app.base.errors import AppError
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import load_shops

router = APIRouter(prefix="/staff", tags=["access"], route_class=ApiRoute)
Shops = Annotated[
    list[Plain] | None,
    Field(max_length=1_000, description="Slugs of the shops that they may see; null for every one."),
]


class NewStaff(BaseModel):
    """A person to add or invite; one who is there gets the role and the shops."""

    model_config = ConfigDict(extra="forbid")

    email: Address
    role: Role
    shops: Shops = None


class StaffChange(BaseModel):
    """What to change of a person's access; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    shops: Shops = None
    has_second_factor: Annotated[
        bool | None, Field(description="Only `false`: their authenticator is lost.")
    ] = None


def _check_grant(role: Role, caller: Actor) -> None:
    if not may_grant_role(role, sees_people=caller.sees_people):
        raise AppError("missing_scope", "A key without the scope 'pii' can add viewers alone.", status=403)


@router.get("")
async def list_staff(
    caller: Administrator, page: PageDep, session: SessionDep, status: StaffStatus | None = None
) -> Page[StaffRow]:
    """The marketing team, newest first."""
    joined = Staff.joined_at.is_not(None)
    chosen = [] if status is None else [joined if status is StaffStatus.joined else ~joined]
    return await list_page(session, page, caller, STAFF, *chosen)


@router.post("", status_code=201, response_model=AddedStaff, responses=problems(413))
async def add_staff_member(
    body: NewStaff, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Add a person, or give one other access; `login_url` signs them in, once, within an hour.

    It is null for who has signed in before: they ask for a link themselves, and nobody acts in
    their name.
    """

    async def act() -> WriteResult:
        session = write.session
        _check_grant(body.role, caller)
        staff_id = await add_staff(
            session, caller.brand_id, body.email, body.role, actor=caller, shops=body.shops
        )
        row = await get_row(session, caller, STAFF, staff_id)
        url = None
        if row.joined_at is None:
            url = await login_link_of(session, context, staff_id, actor=caller, now=clock.now())
        return WriteResult(AddedStaff(**row.model_dump(), login_url=url), 201, shown_once=("login_url",))

    return await write.run(caller, act)


@router.post("/invitations", status_code=201, response_model=StaffRow, responses=problems(409, 413))
async def invite_staff_member(
    body: NewStaff, caller: Administrator, write: IdempotentWriteDep
) -> JSONResponse:
    """Mail a person an invitation, which is good for seven days; nobody else sees its link."""

    async def act() -> WriteResult:
        _check_grant(body.role, caller)
        staff_id = await invite(
            write.session,
            caller.brand_id,
            body.email,
            body.role,
            shops=body.shops,
            actor=caller,
            now=clock.now(),
        )
        return WriteResult(await get_row(write.session, caller, STAFF, staff_id), 201)

    return await write.run(caller, act)


@router.post("/{id}/invitation", response_model=StaffRow, responses=problems(404, 409))
async def send_invitation_again(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Mail a new invitation; the one before works no more. To revoke it, remove the person."""

    async def act() -> WriteResult:
        staff_id = parse_public_id("stf", id)
        await resend_invitation(write.session, caller.brand_id, staff_id, actor=caller, now=clock.now())
        return WriteResult(await get_row(write.session, caller, STAFF, staff_id))

    return await write.run(caller, act)


@router.patch("/{id}", response_model=ChangedStaffRow, responses=problems(404, 413))
async def change_staff_member(
    id: Plain,  # noqa: A002  # the path's own word
    body: StaffChange,
    caller: Administrator,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Change a person's role or shops, from their next request on.

    Who is no administrator any more loses the keys that they made.
    """

    async def act() -> WriteResult:
        session, brand_id = write.session, caller.brand_id
        person = await lock_staff(session, brand_id, parse_public_id("stf", id))
        role, ended = body.role or person.role, 0
        _check_grant(role, caller)
        if body.model_fields_set & {"role", "shops"}:
            kept = await _slugs(session, person)
            shops = body.shops if "shops" in body.model_fields_set else kept
            ended = (await change_staff(session, brand_id, person.id, role, shops, actor=caller)).keys_ended
        if body.has_second_factor:
            raise AppError("second_factor", "Only the person themselves can set up an authenticator.")
        if body.has_second_factor is False:
            await remove_totp(session, person, actor=caller)
        row = await get_row(session, caller, STAFF, person.id)
        return WriteResult(ChangedStaffRow(**row.model_dump(), keys_ended=ended))

    return await write.run(caller, act)


async def _slugs(session: AsyncSession, person: Staff) -> list[str] | None:
    if person.shop_ids is None:
        return None
    shops = await load_shops(session, person.brand_id)
    return [shops[each].slug for each in person.shop_ids if each in shops]


@router.delete("/{id}", response_model=ChangedStaffRow, responses=problems(404))
async def remove_staff_member(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    write: IdempotentWriteDep,
    keep_keys: Annotated[bool, Query(description="Whether the keys that they made stay good.")] = False,
) -> JSONResponse:
    """Remove a person; their sessions, links and keys end at once."""

    async def act() -> WriteResult:
        staff_id = parse_public_id("stf", id)
        row = await get_row(write.session, caller, STAFF, staff_id)
        removed = await remove_staff(
            write.session, caller.brand_id, staff_id, actor=caller, keep_keys=keep_keys
        )
        return WriteResult(ChangedStaffRow(**row.model_dump(), keys_ended=removed.keys_ended))

    return await write.run(caller, act)


@router.get("/{id}/sessions", responses=problems(404))
async def list_staff_sessions(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    session: SessionDep,
) -> Page[SessionRow]:
    """The browsers in which a person is signed in, the one used last first."""
    staff_id = parse_public_id("stf", id)
    await get_row(session, caller, STAFF, staff_id)
    found = await list_sessions(session, caller.brand_id, staff_id, now=clock.now())
    return Page(data=[SessionRow.of(each) for each in found], next_cursor=None)


@router.delete("/{id}/sessions", response_model=EndedSessions, responses=problems(404))
async def end_staff_sessions(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Sign a person out everywhere."""

    async def act() -> WriteResult:
        staff_id = parse_public_id("stf", id)
        await get_row(write.session, caller, STAFF, staff_id)
        ended = await end_sessions(write.session, caller.brand_id, staff_id, actor=caller)
        return WriteResult(EndedSessions(sessions=ended))

    return await write.run(caller, act)


@router.delete("/{id}/sessions/{session_id}", response_model=EndedSessions, responses=problems(404))
async def end_staff_session(
    id: Plain,  # noqa: A002  # the path's own word
    session_id: Plain,
    caller: Administrator,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """End one session of a person."""

    async def act() -> WriteResult:
        staff_id, only = parse_public_id("stf", id), parse_public_id("ses", session_id)
        ended = await end_sessions(write.session, caller.brand_id, staff_id, only=only, actor=caller)
        return WriteResult(EndedSessions(sessions=ended))

    return await write.run(caller, act)
