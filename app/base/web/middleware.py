"""Middleware of every request: request ids, safe headers, one log line, body limits."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.base import clock, metrics
from app.base.errors import AppError
from app.base.ids import new_trace
from app.base.log import logger
from app.base.web.peers import PEERS
from app.base.web.policy import CSP
from app.base.web.problems import UNSTORABLE
from app.base.web.refusals import problem, refusal

log = logger(__name__)

_HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Paths contain link tokens, which no other host may learn.
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_HTTPS_HEADERS = [(b"strict-transport-security", b"max-age=31536000")]
_NO_STORE = [(b"cache-control", b"no-store")]
_SAFE = {
    (is_https, is_file): [*_HEADERS, *(_HTTPS_HEADERS if is_https else []), *([] if is_file else _NO_STORE)]
    for is_https in (False, True)
    for is_file in (False, True)
}
"""By whether browsers come by https alone, and whether a file is asked for."""
_FILES = ("/static/", "/favicon.ico")
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
        PEERS.note(scope)
        response = _Response(scope, send)
        structlog.contextvars.bind_contextvars(request=response.request_id)
        began = clock.monotonic()
        try:
            await self._respond(scope, receive, response)
        finally:
            _measure(scope, response.status or 500, clock.monotonic() - began)

    async def _respond(self, scope: Scope, receive: Receive, response: "_Response") -> None:
        """Have the application respond; refuse and report what it does not."""
        try:
            if "\0" in scope["path"] or b"%00" in scope["query_string"]:
                await problem(422, "invalid", f"{UNSTORABLE}.")(scope, receive, response.send)
            else:
                await self.app(scope, receive, response.send)
        except ClientDisconnect:
            if response.status is None:
                broken = problem(400, "incomplete", "The request's body did not come whole.")
                await broken(scope, receive, response.send)
        except Exception:
            log.exception("a request failed")
            if response.status is None:
                detail = (
                    f"Something broke on our side; it is logged with the request's id, {response.request_id}."
                )
                failure = refusal(Request(scope), 500, "internal", detail)
                await failure(scope, receive, response.send)


class _Response:
    """The response to one request, with the id of the request and the safe headers."""

    __slots__ = ("_scope", "_send", "request_id", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.request_id = _request_id(scope)
        self.status: int | None = None
        """None until the response has started."""

    async def send(self, message: Message) -> None:
        """Send a part; the first one gets the headers that the application did not set."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message["headers"]
            present = {name for name, _ in given}
            extra = [pair for pair in _headers(self._scope) if pair[0] not in present]
            message["headers"] = [*given, *extra, (b"x-request-id", self.request_id.encode())]
        await self._send(message)


def _request_id(scope: Scope) -> str:
    """The id that the caller gave, if it may stand in a log; else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            return given if _REQUEST_ID.fullmatch(given) else new_trace()
    return new_trace()


def _headers(scope: Scope) -> Sequence[tuple[bytes, bytes]]:
    """The headers that keep a response safe, where the application sets none of their name.

    Nothing but files may be stored by a browser or a proxy, unless a route allows it.
    """
    return _SAFE[_is_https(scope), scope["path"].startswith(_FILES)]


def _measure(scope: Scope, status: int, seconds: float) -> None:
    """Count and log a request that has ended, by its route."""
    path = getattr(scope.get("route"), "path", "-")
    metrics.count_request(scope["method"], path, status, seconds)
    log.debug("request", method=scope["method"], route=path, status=status, ms=round(seconds * 1000, 1))


def _is_https(scope: Scope) -> bool:
    """Whether browsers reach the installation by https alone."""
    context = getattr(scope["app"].state, "context", None)
    return context is not None and context.settings.public_url.startswith("https://")


_WITHOUT_BODY = ("GET", "HEAD")
_ANNOUNCE_A_BODY = {b"content-length", b"transfer-encoding"}


class BodyLimitMiddleware:
    """Refuses bodies over `limit` bytes with 413, whether or not they give their length.

    Up to `drop_up_to` bytes of such a body are read and dropped, so that the caller gets the
    response rather than a broken connection. Paths below `exempt` have limits of their own; those
    in `larger` this one, in place of `limit`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limit: int,
        drop_up_to: int,
        exempt: str,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        self.app = app
        self.limit = limit
        self.drop_up_to = drop_up_to
        self.exempt = exempt
        self.larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or respond 413."""
        if scope["type"] != "http" or scope["path"].startswith(self.exempt):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["method"] in _WITHOUT_BODY and not headers.keys() & _ANNOUNCE_A_BODY:
            await self.app(scope, receive, send)
            return
        limit = self.larger.get(scope["path"], self.limit)
        detail = f"The body is larger than {limit // 1024} KiB."
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            while size > limit and message.get("more_body") and size <= self.drop_up_to:
                message = await receive()
                size += len(message.get("body", b""))
            if size > limit:
                # This exception alone passes through FastAPI's own reading of the body.
                raise HTTPException(413, detail, {"Connection": "close"})
            return message

        if not _is_over(headers.get(b"content-length", b"0"), limit):
            await self.app(scope, counted, send)
            return
        if b"expect" not in headers:
            with suppress(HTTPException):
                while (await counted()).get("more_body"):
                    pass
        response = refusal(Request(scope), 413, "too_large", detail, headers={"Connection": "close"})
        await response(scope, receive, send)


def _is_over(length: bytes, limit: int) -> bool:
    """Whether a `Content-Length` is over the limit, or is none at all."""
    return not length.isdigit() or len(length) > len(str(limit)) or int(length) > limit


async def read_body(request: Request, *, limit: int, drop_up_to: int) -> bytes:
    """Read the raw body, once.

    Raises `AppError` `too_large` (413) over `limit` bytes; up to `drop_up_to` bytes are then still
    read and dropped, so that the caller gets the response rather than a broken connection.
    """
    # As `request.stream()` does, whose generator takes twice the time of the rest.
    receive = request.receive
    chunks: list[bytes] = []
    size, is_whole = 0, False
    while not is_whole and size <= drop_up_to:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        is_whole = not message.get("more_body")
    if size > limit:
        raise AppError(
            "too_large", f"The body is larger than {limit // 1024} KiB; send one event at a time.", status=413
        )
    return b"".join(chunks)
