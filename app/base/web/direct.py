"""Pages, screens, callbacks and webhooks are responded to past the framework's own layers.

An application of FastAPI's passes each request through nine layers and a search of its routes: a
fifth of what a callback costs, and a third of what the smallest screen does. A route that makes the
response by itself needs none of them. Its requests pass the application's own middleware alone, and
errors have the same handlers.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from re import Pattern
from typing import Any, Protocol

from fastapi import FastAPI, Request
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.base.web.page_route import PageRoute


class DirectRoute(Protocol):
    """A route that makes the response to a request by itself."""

    path: str
    path_regex: Pattern[str]
    methods: set[str] | None
    endpoint: Callable[..., Any]

    @property
    def respond(self) -> Callable[[Request], Awaitable[Response]]:
        """What makes a request's response."""
        ...


class DirectApp(FastAPI):
    """An application that itself responds by routes of `PageRoute` and by those it is given.

    They come before every other route, whatever their order; a path without parameters comes before
    those with some. A method that none of them has, and a path below a proxy's prefix, go the
    framework's way.
    """

    _direct: ASGIApp
    _given: Sequence[DirectRoute] = ()
    _fixed: dict[tuple[str, str], DirectRoute]
    """The routes without parameters, by method and path."""
    _by_words: dict[str, list[DirectRoute]]
    """The routes with parameters, by the first words of their paths."""

    def respond_by(self, routes: Iterable[DirectRoute]) -> None:
        """Respond by these routes, which are included in the router too."""
        self._given = [*self._given, *routes]

    def build_middleware_stack(self) -> ASGIApp:
        """Build the framework's layers and, beside them, ours alone."""
        self._fixed, self._by_words = {}, {}
        pages = [route for route in self.router.routes if isinstance(route, PageRoute)]
        for route in [*pages, *self._given]:
            if "{" in route.path:
                self._by_words.setdefault(_words_before(route.path), []).append(route)
            else:
                for method in route.methods or ():
                    self._fixed.setdefault((method, route.path), route)
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
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            _note(scope, fixed, {})
            return True
        words = _words(path)
        first = words.partition("/")[0]
        candidates = self._by_words.get(words, [])
        if first != words:
            candidates = candidates + self._by_words.get(first, [])
        for route in candidates:
            if method in (route.methods or ()) and (match := route.path_regex.match(path)):
                _note(scope, route, match.groupdict())
                return True
        return False


def _note(scope: Scope, route: DirectRoute, values: dict[str, str]) -> None:
    scope["route"], scope["endpoint"], scope["path_params"] = route, route.endpoint, values


def _words(path: str) -> str:
    """The first two words of a path, as far as they are whole: `admin/orders`, or `s`."""
    words = path[1:].split("/", 2)
    return "/".join(words[:2]) if len(words) > 2 else words[0]


def _words_before(path: str) -> str:
    """As `_words`, of the part of a route's path that has no parameters."""
    return _words(path.partition("{")[0].rpartition("/")[0] + "/")


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
