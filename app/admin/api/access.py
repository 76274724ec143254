"""Who may do what: API keys and the marketing team."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator
from app.admin.fields import Address, Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.keys import create_key, revoke_key
from app.admin.listing import PageDep, get_row, list_page
from app.admin.rows import KEYS, STAFF
from app.admin.rules import Role, Scope, sees_people
from app.admin.schemas import AddedStaff, CreatedKey, KeyRow, StaffRow
from app.admin.staff import add_staff, login_link_of, remove_staff
from app.base import clock
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems

router = APIRouter(tags=["access"], route_class=ApiRoute)


class NewKey(BaseModel):
    """A key to make; without `expires_days` it is good until it is revoked."""

    model_config = ConfigDict(extra="forbid")

    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    label: Plain = ""
    expires_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class NewStaff(BaseModel):
    """A person to add; one who is there gets the role."""

    model_config = ConfigDict(extra="forbid")

    email: Address
    role: Role


@router.get("/keys")
async def list_keys(caller: Administrator, page: PageDep, session: SessionDep) -> Page[KeyRow]:
    """The brand's keys, newest first, revoked and expired ones too; never a key itself."""
    return await list_page(session, page, caller, KEYS)


@router.post("/keys", status_code=201, response_model=CreatedKey, responses=problems(413))
async def create_api_key(body: NewKey, caller: Administrator, write: IdempotentWriteDep) -> JSONResponse:
    """Make a key; `key` is shown here and never again.

    A key without the scope `pii` cannot make one that has it.
    """

    async def act() -> WriteResult:
        now = clock.now()
        expires_at = None if body.expires_days is None else now + timedelta(days=body.expires_days)
        row, key = await create_key(
            write.session,
            caller.brand_id,
            body.scopes,
            actor=caller,
            label=body.label,
            expires_at=expires_at,
        )
        shown = CreatedKey(**KeyRow.of(row).model_dump(), key=key)
        return WriteResult(shown, 201, shown_once=("key",))

    return await write.run(caller, act)


@router.delete("/keys/{id}", response_model=KeyRow, responses=problems(404))
async def revoke_api_key(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Revoke a key: every process refuses it within five seconds. It stays in the list."""

    async def act() -> WriteResult:
        key_id = parse_public_id("key", id)
        key = await revoke_key(write.session, caller.brand_id, key_id, actor=caller, now=clock.now())
        return WriteResult(KeyRow.of(key))

    return await write.run(caller, act)


@router.get("/staff")
async def list_staff(caller: Administrator, page: PageDep, session: SessionDep) -> Page[StaffRow]:
    """The marketing team, newest first."""
    return await list_page(session, page, caller, STAFF)


@router.post("/staff", status_code=201, response_model=AddedStaff, responses=problems(413))
async def add_staff_member(
    body: NewStaff, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Add a person, or give one another role; `login_url` signs them in, once, within an hour."""

    async def act() -> WriteResult:
        session = write.session
        staff_id = await add_staff(session, caller.brand_id, body.email, body.role, actor=caller)
        row = await get_row(session, caller, STAFF, staff_id)
        url = None
        if caller.sees_people or not sees_people(body.role):
            url = await login_link_of(session, context, staff_id, actor=caller, now=clock.now())
        return WriteResult(AddedStaff(**row.model_dump(), login_url=url), 201, shown_once=("login_url",))

    return await write.run(caller, act)


@router.delete("/staff/{id}", response_model=StaffRow, responses=problems(404))
async def remove_staff_member(
    id: Plain,  # noqa: A002  # the path's own word
    caller: Administrator,
    write: IdempotentWriteDep,
) -> JSONResponse:
    """Remove a person; their sessions and links end at once."""

    async def act() -> WriteResult:
        staff_id = parse_public_id("stf", id)
        person = await remove_staff(write.session, caller.brand_id, staff_id, actor=caller)
        return WriteResult(StaffRow.of(person, pii=caller.sees_people))

    return await write.run(caller, act)
