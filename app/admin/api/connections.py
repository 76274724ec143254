"""The shops' connections to their platforms. Credentials come in and never go out."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.api.shops import find_own_shop
from app.admin.auth import Administrator
from app.admin.fields import Line, Plain
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.admin.shop_connections import connection_shapes
from app.base import clock
from app.base.context import AppContext
from app.base.errors import NotFound
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.models import Shop
from app.platforms.connect import connect_shop, remove_webhooks, request_check, try_connection
from app.platforms.connections import remove_connection
from app.platforms.schemas import ConnectionShape

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
    return await _shape(session, context, await find_own_shop(session, caller, shop))


@router.put("/shops/{shop}/connection", response_model=ConnectionShape, responses=problems(404, 409, 413))
async def connect(
    shop: Plain, body: NewConnection, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Connect the shop, in place of a connection that it has.

    The credentials are tried first. The webhooks are registered within seconds of the response:
    `checked_at`, `webhooks` and `problems` of the connection show it.
    """
    async with context.sessions() as session:
        found = await find_own_shop(session, caller, shop)
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


@router.post("/shops/{shop}/connection/check", response_model=ConnectionShape, responses=problems(404))
async def check(
    shop: Plain, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Check the connection again, and register what is missing, within seconds of the response.

    `checked_at` is null until that is done.
    """

    async def act() -> WriteResult:
        found = await find_own_shop(write.session, caller, shop)
        await request_check(write.session, caller.brand_id, found.id, now=clock.now())
        return WriteResult(await _shape(write.session, context, found))

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
        found = await find_own_shop(session, caller, shop)
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


async def _shape(session: AsyncSession, context: AppContext, shop: Shop) -> ConnectionShape:
    """The connection as it is shown. Raises `NotFound` where the shop has none."""
    shapes = await connection_shapes(session, context.tokens, [shop])
    if shop.slug not in shapes:
        raise NotFound("The shop is not connected to its platform.")
    return shapes[shop.slug]
