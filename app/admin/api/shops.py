"""Shops added, what their platforms can do, and reading their orders from there."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app.admin.api.route import ApiRoute
from app.admin.auth import Administrator, Reader
from app.admin.fields import Line, Locale, Plain, Url, Zone
from app.admin.idempotency import IdempotentWriteDep, WriteResult
from app.base import clock
from app.base.actor import Actor
from app.base.errors import NotFound
from app.base.schemas import Page
from app.base.web.context import ContextDep, SessionDep
from app.base.web.openapi import problems
from app.brands.find import find_shop, load_brand
from app.brands.models import Shop
from app.brands.rules import Platform
from app.brands.schemas import ShopShape
from app.ingest.schemas import SyncShape
from app.ingest.sync_request import load_sync, request_sync
from app.platforms.new_shop import NewShop, create_shop, hook_urls
from app.platforms.registry import PLATFORMS
from app.platforms.schemas import CreatedShop, PlatformShape

router = APIRouter(tags=["brand"], route_class=ApiRoute)


class ShopToAdd(BaseModel):
    """A shop to add; what is left out is as the brand has it."""

    model_config = ConfigDict(extra="forbid")

    slug: Line
    name: Line
    platform: Platform = Platform.checkout
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    time_zone: Zone | None = None
    locale: Locale | None = None
    url: Url | None = None
    platform_settings: dict[Plain, Plain] = Field(default_factory=dict, max_length=50)


class SyncToDo(BaseModel):
    """Which orders to read from a shop's platform."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[AwareDatetime, Field(description="Those that were changed then or later.")]
    history: bool = Field(
        default=False,
        description="New ones are from before the start: their customers are known, nobody gets a message.",
    )


@router.get("/platforms")
async def list_platforms(caller: Reader) -> Page[PlatformShape]:
    """What each platform can do, and what a connection needs."""
    del caller
    shown = [PlatformShape.of(name, adapter) for name, adapter in PLATFORMS.items()]
    return Page(data=shown, next_cursor=None)


@router.post("/shops", status_code=201, response_model=CreatedShop, responses=problems(409, 413))
async def add(
    body: ShopToAdd, caller: Administrator, context: ContextDep, write: IdempotentWriteDep
) -> JSONResponse:
    """Add a shop to the brand; `webhook_secret` is shown here and never again."""

    async def act() -> WriteResult:
        brand = await load_brand(write.session, caller.brand_id)
        fields = body.model_dump(exclude={"platform_settings"})
        new = NewShop(**fields, settings=body.platform_settings)
        shop, secret = await create_shop(write.session, context.tokens, brand, new, actor=caller)
        await write.session.refresh(shop)
        made = CreatedShop(
            **ShopShape.of(shop).model_dump(),
            hooks=hook_urls(context.settings.public_url, shop.slug, shop.platform),
            webhook_secret=secret,
        )
        return WriteResult(made, 201, shown_once=("webhook_secret",))

    return await write.run(caller, act)


@router.get("/shops/{shop}/sync", responses=problems(404))
async def show_sync(shop: Plain, caller: Administrator, session: SessionDep) -> SyncShape:
    """Where the reading of the shop's orders stands. 404 for a shop that never had one."""
    found = await find_own_shop(session, caller, shop)
    row = await load_sync(session, caller.brand_id, found.id)
    if row is None:
        raise NotFound("The shop's orders were never read from its platform.")
    return SyncShape.of(found.slug, row)


@router.post(
    "/shops/{shop}/sync", status_code=202, response_model=SyncShape, responses=problems(404, 409, 413)
)
async def sync(shop: Plain, body: SyncToDo, caller: Administrator, write: IdempotentWriteDep) -> JSONResponse:
    """Have the workers read the connected shop's orders; what is known already changes nothing."""

    async def act() -> WriteResult:
        found = await find_own_shop(write.session, caller, shop)
        since: datetime = body.since
        row = await request_sync(
            write.session, found, since=since, history=body.history, actor=caller, now=clock.now()
        )
        return WriteResult(SyncShape.of(found.slug, row), 202)

    return await write.run(caller, act)


async def find_own_shop(session: AsyncSession, caller: Actor, slug: str) -> Shop:
    """The shop of the caller's brand. Raises `NotFound`, also for one of another brand."""
    found = await find_shop(session, slug)
    if found is None or found[0].id != caller.brand_id:
        raise NotFound
    return found[1]
