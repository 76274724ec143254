"""API keys: what programs may do."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator
from app.admin.fields import Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.keys import create_key, revoke_key
from app.admin.listing import PageDep, list_page
from app.admin.rows import KEYS
from app.admin.rules import Scope
from app.admin.schemas import CreatedKey, KeyRow
from app.base import clock
from app.base.ids import parse_public_id
from app.base.schemas import Page
from app.base.web.context import SessionDep
from app.base.web.openapi import problems

router = APIRouter(tags=["access"], route_class=ApiRoute)


class NewKey(BaseModel):
    """A key to make; without `expires_days` it is good until it is revoked."""

    model_config = ConfigDict(extra="forbid")

    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    label: Plain = ""
    expires_days: Annotated[int | None, Field(ge=1, le=3650)] = None


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
