"""The shops' door: 200 once the raw delivery is committed, never before."""

import asyncpg
from fastapi import APIRouter, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from app.base import clock
from app.base.errors import AppError
from app.base.web.middleware import read_body
from app.ingest.inbox import SECRETS_RECHECK_SECONDS, Inbox, KnownShop, Unavailable
from app.ingest.store import NewDelivery
from app.platforms.events import Refused, VerifiedDelivery
from app.platforms.registry import PLATFORMS

BODY_LIMIT = 1024 * 1024
DROP_LIMIT = 8 * 1024 * 1024
_RECEIVED = b'{"received": true}'
_AWAY = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

router = APIRouter(tags=["shops"])


def inbox_of(request: Request) -> Inbox:
    """The process's inbox, made with its first delivery."""
    state = request.app.state
    if not hasattr(state, "inbox"):
        state.inbox = Inbox(state.context)
    return state.inbox  # type: ignore[no-any-return]  # starlette's state is untyped


async def take_delivery(request: Request, shop: str, platform: str) -> Response:
    """Check a delivery and keep it. What it says is understood later, so a duplicate and an unused topic get 200 too."""
    raw = await read_body(request, limit=BODY_LIMIT, drop_up_to=DROP_LIMIT)
    inbox = inbox_of(request)
    try:
        known, delivery = await _verified(inbox, request, raw, shop, platform)
        await inbox.keep(
            NewDelivery(
                known.brand_id,
                known.shop_id,
                platform,
                delivery.topic,
                delivery.external_id,
                raw,
                received_at=clock.now(),
            )
        )
    except _AWAY:
        raise Unavailable from None
    return Response(_RECEIVED, media_type="application/json")


async def _verified(
    inbox: Inbox, request: Request, raw: bytes, slug: str, platform: str
) -> tuple[KnownShop, VerifiedDelivery]:
    known = await inbox.shop(slug)
    if known is None:
        raise AppError(
            "unknown_shop",
            "There is no shop with this address; copy the hook's address from the shop's settings.",
            status=404,
        )
    door = PLATFORMS[platform]
    try:
        return known, door.verify(request.headers, raw, known.secrets, now=clock.now())
    except Refused:
        pass
    # The secret may have been exchanged a moment ago.
    again = await inbox.shop(slug, fresher_than=SECRETS_RECHECK_SECONDS)
    try:
        if again is not None and again.secrets != known.secrets:
            return again, door.verify(request.headers, raw, again.secrets, now=clock.now())
    except Refused:
        pass
    detail = "The signature is missing or wrong, or the delivery's time is off by more than five minutes; nothing was kept."
    raise AppError("bad_signature", detail, status=401)


def _door(platform: str) -> None:
    @router.post(
        f"/hooks/{{shop}}/{platform}", summary=f"Take a {platform} delivery in", name=f"{platform}_delivery"
    )
    async def take(request: Request, shop: str) -> Response:
        return await take_delivery(request, shop, platform)


for _platform in PLATFORMS:
    _door(_platform)
