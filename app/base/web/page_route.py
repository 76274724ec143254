"""Routes of pages and callbacks, whose few kinds of parameters need no solver of dependencies.

The framework's takes a tenth of a page's processor time, and more of a callback's. The routes are
declared as any other, so that the API's description has all they take.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import cached_property
from typing import Any, get_args

from fastapi import APIRouter, Request
from fastapi.params import Path, Query
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from app.base.web.context import ContextDep, ReadingDep, SessionDep, get_context
from app.base.web.openapi import operation_id

_Endpoint = Callable[..., Awaitable[Response]]
_Value = Callable[[Request], object]


class PageRoute(APIRoute):
    """A route of an endpoint that takes request, context, a session or what reads, and texts.

    Texts are of the path (as they are, `{name}` has no type) and the query. A session is closed,
    and its transaction committed, before the response is sent. Raises `TypeError` at its creation
    for an endpoint that takes anything else.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the route is meant; another page's path is refused by its first letters."""
        if scope["path"].startswith(self._prefix) or scope.get("root_path"):
            return super().matches(scope)
        return Match.NONE, {}

    @cached_property
    def _prefix(self) -> str:
        return self.path.partition("{")[0]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request, without what the framework prepares for dependencies."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self.respond(Request(scope, receive, send))
        await response(scope, receive, send)

    @cached_property
    def respond(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What makes a request's response."""
        return self.get_route_handler()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        values: list[tuple[str, _Value]] = []
        session: str | None = None
        writes = False
        for name, parameter in inspect.signature(self.endpoint, eval_str=True).parameters.items():
            if parameter.annotation in (SessionDep, ReadingDep):
                session, writes = name, parameter.annotation == SessionDep
            else:
                values.append((name, _value(parameter)))
        return _handler(self.endpoint, values, session, writes=writes)


def _value(parameter: inspect.Parameter) -> _Value:
    name, annotation = parameter.name, parameter.annotation
    kinds = [type(each) for each in get_args(annotation)]
    if annotation is Request:
        return lambda request: request
    if annotation == ContextDep:
        return get_context
    if Path in kinds:
        return lambda request: request.path_params[name]
    if Query in kinds:
        return lambda request: request.query_params.get(name, parameter.default)
    raise TypeError(f"a page cannot take {name}: {annotation}")


def _handler(
    endpoint: _Endpoint, values: list[tuple[str, _Value]], session: str | None, *, writes: bool
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def handle(request: Request) -> Response:
        given = {name: value(request) for name, value in values}
        if session is None:
            return await endpoint(**given)
        context = get_context(request)
        opened = context.sessions.begin() if writes else context.reading()
        async with opened as given[session]:
            return await endpoint(**given)

    return handle


def make_page_router(tag: str = "customers") -> APIRouter:
    """A router of customers' pages, or of others under this tag of the API's description.

    The application takes its routes as its own (`app.base.web.direct`).
    """
    return APIRouter(tags=[tag], route_class=PageRoute, generate_unique_id_function=operation_id)
