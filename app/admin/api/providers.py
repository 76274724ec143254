"""A brand's own accounts at providers. Credentials come in and never go out."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator
from app.admin.fields import Address, Line
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.base import clock
from app.base.context import AppContext
from app.base.errors import AppError, NotFound
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.change import change_brand, checked_sender
from app.brands.find import load_brand
from app.brands.programme import Channel
from app.messaging.account_rules import AccountEntry, circuit_of, read_entry
from app.messaging.account_schemas import ProviderShape
from app.messaging.accounts import load_account_rows, remove_account, save_account
from app.messaging.circuits import load_circuits
from app.messaging.compose import sender_of
from app.wiring import try_account

router = APIRouter(prefix="/brand/providers", tags=["brand"], route_class=ApiRoute)

Credential = Annotated[SecretStr, Field(min_length=1, max_length=500)]


class NewProvider(BaseModel):
    """An account at a provider; which credentials there are depends on the provider."""

    model_config = ConfigDict(extra="forbid")

    provider: Line
    credentials: Annotated[dict[Line, Credential], Field(min_length=1, max_length=5)]
    from_: Annotated[
        Address | Line | None,
        Field(
            alias="from", description="The address of mails, else it stays; the messaging service of texts."
        ),
    ] = None

    def entry(self, channel: Channel) -> AccountEntry:
        """The account, checked for its form. Raises `AppError` `bad_credentials`."""
        given = {name: value.get_secret_value() for name, value in self.credentials.items()}
        entry = read_entry(channel, self.provider, given, self.from_)
        if isinstance(entry, str):
            raise AppError("bad_credentials", entry)
        return entry


@router.get("")
async def list_providers(
    caller: Administrator, context: ContextDep, session: SessionDep
) -> Page[ProviderShape]:
    """The brand's own accounts; a channel without one is sent by the installation's."""
    return Page(data=await _shapes(session, context, caller.brand_id), next_cursor=None)


@router.put("/{channel}", response_model=ProviderShape, responses=problems(413))
async def put_provider(
    channel: Channel, body: NewProvider, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Send the brand's messages of this channel by an account of its own.

    The credentials are tried first, without sending anything; where the provider refuses them or
    does not respond nothing is saved.
    """
    entry = body.entry(channel)
    async with context.sessions() as session:
        brand = await load_brand(session, caller.brand_id)
        stored = await write.find_stored(session, caller)
    if stored is not None:
        return stored
    sender = body.from_ or sender_of(brand, context.settings)[1]
    if channel is Channel.email and body.from_ is not None:
        sender = checked_sender(body.from_)
    await try_account(context, brand.id, entry, sender)

    async def act() -> WriteResult:
        session = write.session
        if channel is Channel.email and body.from_ is not None:
            await change_brand(session, brand.id, {"email_from": body.from_}, actor=caller)
        await save_account(session, context.tokens, brand.id, entry, actor=caller, now=clock.now())
        return WriteResult(await _shape(session, context, brand.id, channel))

    return await write.run(caller, act)


@router.delete("/{channel}", response_model=ProviderShape, responses=problems(404))
async def remove_provider(
    channel: Channel, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Remove the account with its credentials; the installation's sends from now on."""

    async def act() -> WriteResult:
        shape = await _shape(write.session, context, caller.brand_id, channel)
        await remove_account(write.session, caller.brand_id, channel, actor=caller)
        return WriteResult(shape)

    return await write.run(caller, act)


async def _shape(
    session: AsyncSession, context: AppContext, brand_id: int, channel: Channel
) -> ProviderShape:
    """The account of a channel. Raises `NotFound` where the brand has none."""
    for shape in await _shapes(session, context, brand_id):
        if shape.channel is channel:
            return shape
    raise NotFound("The brand has no account of its own on this channel.")


async def _shapes(session: AsyncSession, context: AppContext, brand_id: int) -> list[ProviderShape]:
    brand, circuits = await load_brand(session, brand_id), await load_circuits(session)
    return [
        ProviderShape.of(context, brand, row, circuits.get(circuit_of(row.provider, brand_id)))
        for row in await load_account_rows(session, [brand_id])
    ]
