"""The application and its API as the product builds them, once per test process.

The first request to one takes longer than most tests: every route's schemas are compiled. So those
that tests use share the routes, and each has a state of its own.
"""

import copy
from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import State

from app.admin.api import router
from app.base.context import AppContext
from app.base.web.problems import install_problems
from app.main import create_app


def whole_app(context: AppContext) -> FastAPI:
    """The web process's application, with a state of its own."""
    return _with_state(_whole_app(), context)


def api_app(context: AppContext) -> FastAPI:
    """The API alone, without middleware, with a state of its own."""
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
    made = copy.copy(app)
    made.state = State()
    made.state.context = context
    # It is built at the first request, around the application that gets it.
    made.middleware_stack = None
    return made
