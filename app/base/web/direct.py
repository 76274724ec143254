"""Pages, callbacks and webhooks are responded to past the framework's own layers.

An application of FastAPI's passes each request through nine layers and a search of its routes: a
fifth of what a callback costs. A route of `PageRoute` needs none of them. Its requests pass the
application's own middleware alone, and errors have the same handlers.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.base.web.page_route import PageRoute


class DirectApp(FastAPI):
    """An application that itself responds by the routes of `PageRoute` in its router.

    They come before every other route, whatever their order. A method that none of them has, and a
    path below a proxy's prefix, go the framework's way.
    """

    _direct: ASGIApp
    _by_word: dict[str, list[PageRoute]]
    """The routes by the first word of their paths."""

    def build_middleware_stack(self) -> ASGIApp:
        """Build the framework's layers and, beside them, ours alone."""
        self._by_word = {}
        for route in self.router.routes:
            if isinstance(route, PageRoute):
                self._by_word.setdefault(_first_word(route.path), []).append(route)
        self._direct = _respond
        for layer, positional, named in reversed(self.user_middleware):
            self._direct = layer(self._direct, *positional, **named)
        return super().build_middleware_stack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request; other kinds of traffic are the framework's."""
        if scope["type"] == "http" and not scope.get("root_path"):
            if self.middleware_stack is None:
                self.middleware_stack = self.build_middleware_stack()
            if self._select(scope):
                scope["app"] = self
                await self._direct(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _select(self, scope: Scope) -> bool:
        """Note in the scope which route is meant, as the framework does; whether one is."""
        path, method = scope["path"], scope["method"]
        for route in self._by_word.get(_first_word(path), ()):
            if method in (route.methods or ()) and (match := route.path_regex.match(path)):
                scope["route"], scope["endpoint"] = route, route.endpoint
                scope["path_params"] = match.groupdict()
                return True
        return False


def _first_word(path: str) -> str:
    return path[1:].partition("/")[0]


async def _respond(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive, send)
    try:
        response = await scope["route"].respond(request)
    except Exception as error:  # noqa: BLE001  # raised again where the application has no handler
        handlers = scope["app"].exception_handlers
        await ExceptionMiddleware(_raising(error), handlers)(scope, receive, send)
    else:
        await response(scope, receive, send)


def _raising(error: Exception) -> Callable[..., Awaitable[Any]]:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return fail
