"""RFC 9457 problem responses for every failure."""

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from app.base.errors import AppError
from app.base.log import logger

log = logger(__name__)


def problem(
    status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: object
) -> JSONResponse:
    """An RFC 9457 response with our stable `code`."""
    body = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install_problems(app: FastAPI) -> None:
    """Return every failure as a problem, without repeating what was sent."""

    @app.exception_handler(AppError)
    async def on_app_error(_request: Request, error: AppError) -> Response:
        return problem(error.status, error.code, error.detail, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"where": ".".join(str(part) for part in item["loc"]), "problem": item["msg"]}
            for item in error.errors()
        ]
        detail = "; ".join(f"{item['where']}: {item['problem']}" for item in errors[:3])
        return problem(422, "invalid", f"The request cannot be used: {detail}.", errors=errors)

    @app.exception_handler(HTTPException)
    async def on_http(_request: Request, error: HTTPException) -> Response:
        words = {
            404: ("not_found", "Nothing is here under that address."),
            405: ("method_not_allowed", "Use another method here."),
        }
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
    """503 while the database is unreachable; the caller should try again."""
    return problem(
        503,
        "unavailable",
        "We cannot store anything right now; try again in a moment.",
        headers={"Retry-After": "10"},
    )
