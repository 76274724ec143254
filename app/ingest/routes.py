"""The webhook endpoints for shops: 200 once the raw delivery is committed, never before."""

from collections.abc import Iterable
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Path, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from app.base import clock
from app.base.schemas import Received
from app.base.web.middleware import read_body
from app.base.web.openapi import problems, request_body, request_headers
from app.base.web.page_route import make_page_router
from app.ingest.inbox import Inbox, Unavailable
from app.ingest.verify import verify_delivery
from app.platforms.documentation import WebhookDocumentation
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
    made = make_page_router("shops")
    for platform in platforms:
        _add_endpoint(made, platform)
    return made


def _add_endpoint(router: APIRouter, platform: str) -> None:
    @router.post(
        f"/hooks/{{shop}}/{platform}",
        summary=f"Receive a {platform} delivery",
        description="200 once the delivery is stored, also for a repeated one and for a topic that is not used.",
        name=f"receive_{platform}_delivery",
        response_model=Received,
        responses=problems(401, 404, 413, 503),
        openapi_extra=_request_of(PLATFORMS[platform].documentation),
    )
    async def receive(
        request: Request, shop: Annotated[str, Path(description="The shop's slug.")]
    ) -> Response:
        return await receive_delivery(request, shop, platform)


def _request_of(documentation: WebhookDocumentation | None) -> dict[str, Any] | None:
    if documentation is None:
        return None
    examples = {topic: example.body for topic, example in documentation.examples.items()}
    return request_headers(documentation.headers) | request_body(documentation.body, examples=examples)


router = make_router(PLATFORMS)
