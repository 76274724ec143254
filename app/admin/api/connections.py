"""The shops' connections to their platforms. Credentials come in and never go out."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator
from app.admin.fields import Line, Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.base import clock
from app.base.actor import Actor
from app.base.context import AppContext
from app.base.errors import NotFound
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import find_shop
from app.brands.models import Shop
from app.platforms.connect import connect_shop, remove_webhooks, try_connection
from app.platforms.connections import load_connections, load_row, remove_connection
from app.platforms.schemas import ConnectionShape
from app.referrals.code_findings import find_code_problems

router = APIRouter(tags=["brand"], route_class=ApiRoute)

Credential = Annotated[SecretStr, Field(min_length=1, max_length=500)]


class NewConnection(BaseModel):
    """How to call the shop's platform; which credentials there are depends on the platform."""

    model_config = ConfigDict(extra="forbid")

    account: Line
    credentials: Annotated[dict[Line, Credential], Field(min_length=1, max_length=5)]


@router.get("/shops/{shop}/connection", responses=problems(404))
async def show_connection(
    shop: Plain, caller: Administrator, context: ContextDep, session: SessionDep
) -> ConnectionShape:
    """The shop's connection, with what its last check found."""
    return await _shape(session, context, await _find(session, caller, shop))


@router.put("/shops/{shop}/connection", response_model=ConnectionShape, responses=problems(404, 409, 413))
async def connect(
    shop: Plain, body: NewConnection, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Connect the shop, in place of a connection that it has.

    The credentials are tried first. The webhooks are registered within seconds of the response:
    `checked_at`, `webhooks` and `problems` of the connection show it.
    """
    async with context.sessions() as session:
        found = await _find(session, caller, shop)
        stored = await write.find_stored(session, caller)
    if stored is not None:
        return stored
    credentials = {name: value.get_secret_value() for name, value in body.credentials.items()}
    connection = await try_connection(context.settings, found, body.account, credentials)

    async def act() -> WriteResult:
        session = write.session
        await connect_shop(session, context.tokens, found, connection, actor=caller, now=clock.now())
        return WriteResult(await _shape(session, context, found))

    return await write.run(caller, act)


@router.delete("/shops/{shop}/connection", response_model=ConnectionShape, responses=problems(404))
async def disconnect(
    shop: Plain, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Remove the connection with its credentials, and the webhooks at the platform.

    Where these cannot be removed, as with revoked credentials, `problems` says so; the connection
    is removed all the same.
    """
    async with context.sessions() as session:
        found = await _find(session, caller, shop)
        stored = await write.find_stored(session, caller)
    if stored is not None:
        return stored
    failed = await remove_webhooks(context, found)

    async def act() -> WriteResult:
        shape = await _shape(write.session, context, found)
        await remove_connection(write.session, caller.brand_id, found.id, actor=caller)
        left = [] if failed is None else [f"The webhooks could not be removed: {failed}"]
        webhooks = shape.webhooks if left else []
        return WriteResult(shape.model_copy(update={"problems": left, "notes": [], "webhooks": webhooks}))

    return await write.run(caller, act)


async def _find(session: AsyncSession, caller: Actor, slug: str) -> Shop:
    """The shop of the caller's brand. Raises `NotFound`, also for one of another brand."""
    found = await find_shop(session, slug)
    if found is None or found[0].id != caller.brand_id:
        raise NotFound
    return found[1]


async def _shape(session: AsyncSession, context: AppContext, shop: Shop) -> ConnectionShape:
    """The connection as it is shown. Raises `NotFound` where the shop has none."""
    row = await load_row(session, shop.brand_id, shop.id)
    if row is None:
        raise NotFound("The shop is not connected to its platform.")
    connections = await load_connections(session, context.tokens, shop.brand_id, [shop.id])
    codes = await find_code_problems(session, shop.brand_id, [shop.id])
    return ConnectionShape.of(shop, row, connections[shop.id].credentials, codes.get(shop.id, ()))
