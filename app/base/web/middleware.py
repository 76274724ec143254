"""Middleware of every request: request ids, safe headers, one log line, body limits."""

import re

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.base import clock, metrics
from app.base.errors import AppError
from app.base.ids import new_id
from app.base.log import logger
from app.base.web.problems import problem

log = logger(__name__)

CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Paths contain link tokens, which no other host may learn.
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_REQUEST_ID = re.compile(r"[\w.-]{8,64}")


class RequestMiddleware:
    """Gives each request an id, safe headers and one log line.

    The line has the route and never the path, which holds tokens.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; other kinds of traffic pass through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next(
            (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), ""
        )
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request_id)
        began = clock.monotonic()
        status = 500

        async def with_headers(message: Message) -> None:
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
            await with_headers(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            log.exception("a request failed")
            if not started:
                response = problem(
                    500, "internal", "Something broke on our side; it is logged with this request's id."
                )
                await response(scope, receive, watched)
        finally:
            route = scope.get("route")
            took = clock.monotonic() - began
            path = getattr(route, "path", "-")
            metrics.REQUESTS.labels(scope["method"], path, status).inc()
            metrics.SECONDS.labels(path).observe(took)
            log.debug("request", method=scope["method"], route=path, status=status, ms=round(took * 1000, 1))


class BodyLimitMiddleware:
    """Refuses bodies over a limit before anything reads them.

    Paths below `exempt` have limits of their own.
    """

    def __init__(self, app: ASGIApp, *, limit: int, exempt: str) -> None:
        self.app = app
        self.limit = limit
        self.exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or respond 413.

        A body without a length that grows over the limit ends there: the application sees a
        disconnect.
        """
        if scope["type"] != "http" or scope["path"].startswith(self.exempt):
            await self.app(scope, receive, send)
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > self.limit:
            response = problem(
                413,
                "too_large",
                f"The body is larger than {self.limit // 1024} KiB.",
                headers={"Connection": "close"},
            )
            await response(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return {"type": "http.disconnect"} if size > self.limit else message

        await self.app(scope, counted, send)


async def read_body(request: Request, *, limit: int, drop_up_to: int) -> bytes:
    """Read the raw body, once.

    Raises `AppError` `too_large` (413) over `limit` bytes; up to `drop_up_to` bytes are then still
    read and dropped, so that the caller gets the response rather than a broken connection.
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
        raise AppError(
            "too_large", f"The body is larger than {limit // 1024} KiB; send one event at a time.", status=413
        )
    return b"".join(chunks)
