"""A response to every failure: an RFC 9457 problem, or a page in a browser."""

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.base.errors import AppError
from app.base.log import logger
from app.base.retry import is_unavailable, sqlstate_of
from app.base.text import one_line
from app.base.web.refusals import refusal

log = logger(__name__)

_MOST_ERRORS = 50
"""Faulty fields that a response names."""
_UNSTORABLE_TEXT = {"22021", "22P05"}
"""SQLSTATE of text that PostgreSQL cannot hold."""
UNSTORABLE = "Text may hold no zero byte (U+0000) and no half of a surrogate pair"


def refuse_unstorable(*texts: str) -> None:
    """Raise `AppError` `invalid` (422) where a field of a form holds a zero byte."""
    if any("\0" in text for text in texts):
        raise AppError("invalid", f"{UNSTORABLE}.")


def _invalid(request: Request, error: RequestValidationError) -> Response:
    # The name of an unknown field is the caller's own text.
    errors = [
        {
            "where": ".".join(one_line(str(part), limit=24, ellipsis=True) for part in item["loc"]),
            "problem": one_line(item["msg"], limit=300),
        }
        for item in error.errors()[:_MOST_ERRORS]
    ]
    detail = "; ".join(f"{item['where']}: {item['problem']}" for item in errors[:3])
    return refusal(request, 422, "invalid", f"The request cannot be used: {detail}.", errors=errors)


def install_problems(app: FastAPI) -> None:
    """Respond to every failure (`app.base.web.refusals`), without repeating what was sent."""

    @app.exception_handler(AppError)
    async def on_app_error(request: Request, error: AppError) -> Response:
        return refusal(request, error.status, error.code, error.detail, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return _invalid(request, error)

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        words = {
            404: ("not_found", "Nothing is here under that address."),
            405: ("method_not_allowed", "Use another method here."),
            413: ("too_large", str(error.detail)),
        }
        code, detail = words.get(error.status_code, ("refused", str(error.detail)))
        headers = dict(error.headers or {})
        if error.status_code == 405 and (allowed := _allowed(app, request.url.path)):
            headers["Allow"] = allowed
        return refusal(request, error.status_code, code, detail, headers=headers)

    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(asyncpg.PostgresError)
    @app.exception_handler(asyncpg.InterfaceError)
    @app.exception_handler(OSError)
    async def on_database(request: Request, error: Exception) -> Response:
        if sqlstate_of(error) in _UNSTORABLE_TEXT or _cannot_be_encoded(error):
            return refusal(request, 422, "invalid", f"{UNSTORABLE}.")
        if not is_unavailable(error):
            raise error
        log.error("the database is unavailable", error=type(error).__name__, state=sqlstate_of(error))
        return _unavailable(request)


def _allowed(app: FastAPI, path: str) -> str:
    """The documented methods of a path: Starlette itself names those of one route alone.

    A path that is documented as it is, as `/messages/resend`, is not one with an id. Empty where
    the document does not have it.
    """
    paths = app.openapi()["paths"]
    own = [path] if path in paths else [each for each in paths if _is_of(path, each)]
    return ", ".join(method.upper() for each in own for method in paths[each])


def _is_of(path: str, template: str) -> bool:
    parts, wanted = path.split("/"), template.split("/")
    return len(parts) == len(wanted) and all(
        one == other or other.startswith("{") for one, other in zip(parts, wanted, strict=True)
    )


def _cannot_be_encoded(error: BaseException | None) -> bool:
    """Whether the driver failed on text that is not Unicode."""
    while error is not None:
        if isinstance(error, UnicodeEncodeError):
            return True
        error = error.__cause__
    return False


def _unavailable(request: Request) -> Response:
    """503 while the database cannot do the work; the caller should try again."""
    return refusal(
        request,
        503,
        "unavailable",
        "We cannot do that right now; try again in a moment.",
        headers={"Retry-After": "10"},
    )
