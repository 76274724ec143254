"""The web process: every webhook, page and API route in one FastAPI application."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Literal

from fastapi import FastAPI, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response

import app.models  # noqa: F401  # registers every table and message template
from app.admin import account_pages, sign_in_pages
from app.admin.alarm_watch import watching
from app.admin.api import imports as api_imports
from app.admin.api import router as api_router
from app.admin.dashboard import imports, screens
from app.base import clock, due, metrics, schema
from app.base.config import load_settings
from app.base.db import WEB
from app.base.embedded import stop_embedded
from app.base.fence import load_fence
from app.base.log import configure_logs
from app.base.memory import tune_garbage_collector
from app.base.parent import when_parent_dies
from app.base.paths import ROOT
from app.base.pools import web_pools
from app.base.schemas import ApiModel
from app.base.templates import make_environment
from app.base.web import stylesheets
from app.base.web.compression import CompressedFiles, CompressionMiddleware
from app.base.web.context import ContextDep
from app.base.web.direct import DirectApp
from app.base.web.middleware import BodyLimitMiddleware, RequestMiddleware
from app.base.web.openapi import install_openapi, operation_id, problems
from app.base.web.peers import PEERS
from app.base.web.policy import CSP
from app.base.web.problems import install_problems
from app.base.web.refusals import problem
from app.brands import routes as brand_routes
from app.checkout import routes as checkout_routes
from app.customers import routes as customer_routes
from app.ingest import routes as ingest_routes
from app.ingest.uploaded_imports import UPLOAD_LIMIT
from app.insight.health import load_health, publish_health
from app.messaging import provider_routes
from app.referrals import routes as referral_routes
from app.surveys import routes as survey_routes
from app.wiring import Parts, open_parts

BODY_LIMIT = 1024 * 1024
"""Bytes of a form or of the API's JSON; an order of ten thousand lines is smaller."""
DROP_LIMIT = 8 * BODY_LIMIT
"""Bytes of a larger body that are read and dropped, so that the caller sees the refusal."""


class Health(ApiModel):
    """What `/healthz` returns."""

    status: Literal["ok"] = "ok"


def create_app(parts: Parts | None = None) -> FastAPI:
    """Create the application.

    Without `parts` it reads the settings and opens its own, for as long as it runs.
    """
    app = DirectApp(
        title="Tenfold",
        version="1",
        description="Surveys after orders, referral codes, and what came of them.",
        generate_unique_id_function=operation_id,
        docs_url=None,
        redoc_url=None,
        # A redirect to the path without its slash would lead to whatever host the caller named.
        redirect_slashes=False,
        # It would report paths, which hold tokens.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=_own_parts if parts is None else _given_parts,
    )
    if parts is not None:
        app.state.context = parts.context
    _add_middleware(app)
    install_problems(app)
    install_openapi(app)
    _add_routers(app)
    _add_operations(app)
    _add_files(app)
    return app


def _add_middleware(app: FastAPI) -> None:
    """The last one that is added sees a request first."""
    app.add_middleware(
        BodyLimitMiddleware,
        limit=BODY_LIMIT,
        drop_up_to=DROP_LIMIT,
        exempt="/hooks/",
        larger={
            imports.UPLOAD_PATH: imports.REQUEST_LIMIT,
            api_imports.UPLOAD_PATH: UPLOAD_LIMIT,
        },
    )
    app.add_middleware(CompressionMiddleware)
    app.add_middleware(RequestMiddleware)


def _add_routers(app: DirectApp) -> None:
    for pages_of in (
        survey_routes.router,
        referral_routes.router,
        provider_routes.router,
        ingest_routes.router,
    ):
        # Not included: the application itself responds by those that it has.
        app.router.routes.extend(pages_of.routes)
    for router in (
        customer_routes.router,
        checkout_routes.router,
        api_router,
        stylesheets.router,
        brand_routes.router,
        sign_in_pages.router,
        account_pages.router,
        screens.router,
    ):
        app.include_router(router)
    app.respond_by(screens.ROUTES)


@asynccontextmanager
async def _own_parts(app: FastAPI) -> AsyncIterator[None]:
    settings = load_settings()
    configure_logs(settings.log_format)
    tune_garbage_collector()
    # As by SIGTERM: the server finishes the requests under way.
    when_parent_dies(lambda: os.kill(os.getpid(), signal.SIGTERM))
    async with open_parts(settings, pools=web_pools(settings.database_pool), limits=WEB) as parts:
        app.state.context = parts.context
        async with watching(parts.context):
            yield
        await referral_routes.finish(app)
    if settings.embedded:
        # uvicorn ends the process by the signal that stopped it, so nothing that waits for the exit
        # would run.
        stop_embedded(settings.home)


@asynccontextmanager
async def _given_parts(app: FastAPI) -> AsyncIterator[None]:
    yield
    await referral_routes.finish(app)


def _add_operations(app: FastAPI) -> None:
    @app.get("/healthz", tags=["operations"])
    async def healthz() -> Health:
        """Whether the process responds."""
        return Health()

    @app.get("/readyz", tags=["operations"], response_class=PlainTextResponse, responses=problems(503))
    async def readyz(context: ContextDep) -> Response:
        """Whether the database is reachable, its schema at head and the queue's tables exist."""
        try:
            current = await schema.is_current(context.engine)
        except (SQLAlchemyError, OSError):
            return problem(
                503, "no_database", "The database cannot be reached.", headers={"Retry-After": "5"}
            )
        if not current:
            return problem(
                503,
                "schema_behind",
                "The schema is not at head; run: tenfold migrate",
                headers={"Retry-After": "30"},
            )
        async with context.sessions() as session:
            fence = await load_fence(session)
        if fence is not None:
            # Orders are still taken, so the process is ready.
            return PlainTextResponse("ready; nothing is sent, run: tenfold recover\n")
        return PlainTextResponse("ready\n")

    @app.get("/metrics", tags=["operations"], response_class=PlainTextResponse, name="metrics")
    async def metrics_page(context: ContextDep) -> Response:
        """Metrics for Prometheus."""
        metrics.ONE_PEER.set(PEERS.are_one)
        metrics.QUEUE_LAG.set(await due.queue_lag_seconds(context.sessions))
        async with context.sessions() as session:
            metrics.FENCED.set(await load_fence(session) is not None)
            publish_health(await load_health(session, now=clock.now()))
        return Response(metrics.rendered(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_files(app: FastAPI) -> None:
    """Redirects, the page about the API, and static files."""
    app.mount("/static/swagger", CompressedFiles(str(files("fastapi_swagger") / "resources")), name="swagger")
    app.mount("/static", CompressedFiles(ROOT / "static"), name="static")

    @app.get("/", include_in_schema=False)
    @app.get("/admin/", include_in_schema=False)
    async def home() -> Response:
        return RedirectResponse("/admin", 307)

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        return FileResponse(ROOT / "static" / "icon.svg", media_type="image/svg+xml")

    @app.get("/docs", include_in_schema=False)
    async def docs(_request: Request) -> Response:
        # The page's script is a file of ours, so that the strict policy holds; its styles need an
        # exception.
        policy = CSP.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
        return HTMLResponse(
            make_environment("web").get_template("docs.html").render(),
            headers={"Content-Security-Policy": policy},
        )
