"""How a request of the API is taken: who calls is known before anything of the body is read."""

from collections.abc import Callable, Coroutine, Iterator
from json import JSONDecodeError
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.admin.auth import authenticate
from app.base.errors import AppError
from app.base.text import one_line
from app.base.web.problems import UNSTORABLE

_UNREADABLE = "The body cannot be read as JSON: send text in UTF-8, and nest it less deeply."


class ApiRoute(APIRoute):
    """A route that needs a key, and whose JSON holds only text that the database can hold."""

    reads_json = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler, with the checks before it."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            await authenticate(request)
            if self.reads_json:
                await _refuse_unstorable(request)
            try:
                return await handle(request)
            except HTTPException as error:
                # FastAPI's own, for bytes that are no UTF-8 and for thousands of brackets.
                if error.status_code == 400 and error.__cause__ is not None:
                    raise AppError("invalid", _UNREADABLE) from error
                raise

        return checked


class FileRoute(ApiRoute):
    """As `ApiRoute`, whose body is a file of any size: the route reads it piece by piece."""

    reads_json = False


async def _refuse_unstorable(request: Request) -> None:
    """Raise `AppError` (422) for a text with a zero byte or half of a surrogate pair.

    Both come from escapes or from bytes that are not ASCII, so most bodies are not searched. What
    is no JSON is left to the route.
    """
    body = await request.body()
    if body.isascii() and b"\\u" not in body:
        return
    try:
        where = next(_unstorable(await request.json(), "body"), None)
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        return
    if where is not None:
        raise AppError("invalid", f"{UNSTORABLE}; {where} does.")


def _unstorable(value: object, where: str) -> Iterator[str]:
    match value:
        case str():
            if "\0" in value or not _is_unicode(value):
                yield where
        case dict():
            for name, one in value.items():
                yield from _unstorable(name, where)
                yield from _unstorable(one, f"{where}.{one_line(name, limit=24, ellipsis=True)}")
        case list():
            for place, one in enumerate(value):
                yield from _unstorable(one, f"{where}[{place}]")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
