"""What every door shares: the parts of the process, one session a request, problem+json, request ids, safe headers, pages."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.base import clock, metrics
from app.base.config import Settings
from app.base.db import Sessions
from app.base.errors import AppError
from app.base.ids import new_id
from app.base.log import logger
from app.base.tokens import Tokens

log = logger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent
"""The project's directory: templates and migrations lie there."""
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Link tokens stand in paths; no other host may learn them.
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_REQUEST_ID = re.compile(r"[\w.-]{8,64}")


@dataclass(frozen=True)
class Ground:
    """What every room stands on, made once a process."""

    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    tokens: Tokens
    database_url: str


def ground_of(request: Request) -> Ground:
    """The process's ground, as a dependency."""
    return request.app.state.ground  # type: ignore[no-any-return]  # starlette's state is untyped


GroundDep = Annotated[Ground, Depends(ground_of)]


async def open_session(ground: GroundDep) -> AsyncIterator[AsyncSession]:
    """One transaction a request, committed before the reply leaves."""
    async with ground.sessions.begin() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(open_session, scope="function")]
"""`scope="function"` is what makes the commit come before the reply: by default FastAPI commits after it, and a failing commit
would still have answered 200."""


def problem(status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    """An RFC 9457 answer with our stable `code`."""
    body = {"type": "about:blank", "title": code.replace("_", " "), "status": status, "code": code, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install_problems(app: FastAPI) -> None:
    """Answer every failure as a problem, without echoing what was sent."""

    @app.exception_handler(AppError)
    async def on_app_error(_request: Request, error: AppError) -> Response:
        return problem(error.status, error.code, error.detail, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        errors = [{"where": ".".join(str(part) for part in item["loc"]), "problem": item["msg"]} for item in error.errors()]
        said = "; ".join(f"{item['where']}: {item['problem']}" for item in errors[:3])
        return problem(422, "invalid", f"The request cannot be used: {said}.", errors=errors)

    @app.exception_handler(HTTPException)
    async def on_http(_request: Request, error: HTTPException) -> Response:
        words = {404: ("not_found", "Nothing is here under that address."), 405: ("method_not_allowed", "Use another method here.")}
        code, detail = words.get(error.status_code, ("refused", str(error.detail)))
        return problem(error.status_code, code, detail, headers=dict(error.headers or {}))

    @app.exception_handler(InterfaceError)
    @app.exception_handler(ConnectionError)
    @app.exception_handler(asyncpg.PostgresConnectionError)
    @app.exception_handler(asyncpg.OperatorInterventionError)
    @app.exception_handler(asyncpg.InsufficientResourcesError)
    async def on_lost_database(_request: Request, error: Exception) -> Response:
        log.error("the database cannot be reached", error=type(error).__name__)
        return unavailable()

    @app.exception_handler(FileNotFoundError)
    async def on_lost_socket(request: Request, error: FileNotFoundError) -> Response:
        # A missing file has a name; a local database that is down is a socket without one.
        if error.filename is not None:
            raise error
        return await on_lost_database(request, error)

    @app.exception_handler(DBAPIError)
    async def on_database(_request: Request, error: DBAPIError) -> Response:
        if error.connection_invalidated:
            return unavailable()
        raise error


def unavailable() -> JSONResponse:
    """503 for a moment without database; whoever asked should come again."""
    return problem(503, "unavailable", "We cannot store anything right now; try again in a moment.", headers={"Retry-After": "10"})


class RequestFrame:
    """Gives each request an id, safe headers and one log line by route (never by path, which holds tokens)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Frame one request; other kinds of traffic pass through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        began = clock.monotonic()
        status = 500

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name for name, _ in message["headers"]}
                extra = [pair for pair in _HEADERS if pair[0] not in present]
                message["headers"] = [*message["headers"], *extra, (b"x-request-id", request_id.encode())]
            await send(message)

        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await framed(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            log.exception("a request failed")
            if not started:
                answer = problem(500, "internal", "Something broke on our side; it is logged with this request's id.")
                await answer(scope, receive, watched)
        finally:
            route = scope.get("route")
            took = clock.monotonic() - began
            path = getattr(route, "path", "-")
            metrics.REQUESTS.labels(scope["method"], path, status).inc()
            metrics.SECONDS.labels(path).observe(took)
            log.debug("request", method=scope["method"], route=path, status=status, ms=round(took * 1000, 1))


class BodyLimit:
    """Refuses bodies over a limit before anything reads them; doors below `doors` have limits of their own."""

    def __init__(self, app: ASGIApp, *, limit: int, doors: str) -> None:
        self.app = app
        self.limit = limit
        self.doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 413. A body that tells no length and grows over the limit ends there: it cannot be read."""
        if scope["type"] != "http" or scope["path"].startswith(self.doors):
            await self.app(scope, receive, send)
            return
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not told.isdigit() or int(told) > self.limit:
            answer = problem(
                413, "too_large", f"The body is larger than {self.limit // 1024} KiB.", headers={"Connection": "close"}
            )
            await answer(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return {"type": "http.disconnect"} if size > self.limit else message

        await self.app(scope, counted, send)


async def read_body(request: Request, *, limit: int, drop_up_to: int) -> bytes:
    """The raw body, once.

    Over `limit` bytes it is `too_large` (413); up to `drop_up_to` bytes are then still read and dropped, so that the caller sees
    the answer rather than a broken connection.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > drop_up_to:
            break
        if size <= limit:
            chunks.append(chunk)
    if size > limit:
        raise AppError("too_large", f"The body is larger than {limit // 1024} KiB; send one event at a time.", status=413)
    return b"".join(chunks)


def make_environment(folder: str, *, autoescape: bool = True) -> Environment:
    """Jinja2 over one folder of `templates/`; a name that is missing is an error, never a gap."""
    return Environment(
        loader=FileSystemLoader(ROOT / "templates" / folder),
        autoescape=autoescape,  # noqa: S701  # off for plain-text messages alone
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )


PAGES = make_environment("web")
"""Every page a browser sees."""
PAGES.install_null_translations()  # type: ignore[attr-defined]  # added by the i18n extension


def page(template: str, values: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    """A rendered page of `templates/web`, never cached: it speaks of one person."""
    return HTMLResponse(PAGES.get_template(template).render(values), status, {"Cache-Control": "no-store", **(headers or {})})


def not_found_page() -> HTMLResponse:
    """The one 404 page: unknown, expired and revoked links all get it, byte for byte."""
    return page("not_found.html", {}, status=404)
