"""The webhook endpoints for shops: 200 once the raw delivery is committed, never before."""

from collections.abc import Iterable

import asyncpg
from fastapi import APIRouter, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from app.base import clock
from app.base.web.middleware import read_body
from app.ingest.inbox import Inbox, Unavailable
from app.ingest.verify import verify_delivery
from app.platforms.registry import PLATFORMS

BODY_LIMIT = 1024 * 1024
DROP_LIMIT = 8 * 1024 * 1024
_RECEIVED = b'{"received": true}'
_DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def get_inbox(request: Request) -> Inbox:
    """The process's inbox, created with its first delivery."""
    state = request.app.state
    if not hasattr(state, "inbox"):
        state.inbox = Inbox(state.context)
    return state.inbox  # type: ignore[no-any-return]  # starlette's state is untyped


async def receive_delivery(request: Request, shop: str, platform: str) -> Response:
    """Verify and store one delivery.

    It is parsed later: repeated ones and unused topics get 200 too.
    """
    raw = await read_body(request, limit=BODY_LIMIT, drop_up_to=DROP_LIMIT)
    inbox = get_inbox(request)
    try:
        delivery = await verify_delivery(inbox, platform, shop, request.headers, raw, now=clock.now())
        if delivery is not None:
            await inbox.store(delivery)
    except _DATABASE_ERRORS:
        raise Unavailable from None
    return Response(_RECEIVED, media_type="application/json")


def make_router(platforms: Iterable[str]) -> APIRouter:
    """A router with one endpoint for each platform."""
    made = APIRouter(tags=["shops"])
    for platform in platforms:
        _add_endpoint(made, platform)
    return made


def _add_endpoint(router: APIRouter, platform: str) -> None:
    @router.post(
        f"/hooks/{{shop}}/{platform}", summary=f"Receive a {platform} delivery", name=f"{platform}_delivery"
    )
    async def receive(request: Request, shop: str) -> Response:
        return await receive_delivery(request, shop, platform)


router = make_router(PLATFORMS)
