"""The application and its API as the product builds them, once per test process.

Building one takes longer than most tests: every route's schemas are compiled. A test process has
one of each, so a test may have only one context at a time.
"""

from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import State

from app.admin.api import router
from app.base.context import AppContext
from app.base.web.problems import install_problems
from app.main import create_app


def whole_app(context: AppContext) -> FastAPI:
    """The web process's application, with no state of an earlier test."""
    return _with_state(_whole_app(), context)


def api_app(context: AppContext) -> FastAPI:
    """The API alone, without middleware, with no state of an earlier test."""
    return _with_state(_api_app(), context)


def openapi_document() -> dict[str, Any]:
    """The description of the API, as it is served; not to be changed."""
    return _whole_app().openapi()


@cache
def _whole_app() -> FastAPI:
    return create_app()


@cache
def _api_app() -> FastAPI:
    app = FastAPI()
    install_problems(app)
    app.include_router(router)
    return app


def _with_state(app: FastAPI, context: AppContext) -> FastAPI:
    app.state = State()
    app.state.context = context
    return app
