"""docs/api.md says what the program does: every route of the API stands there, and every route
there is one."""

import re
from pathlib import Path

from fastapi import FastAPI

from app.admin.api import router
from app.base.paths import ROOT
from app.customers.routes import router as customers
from app.referrals.routes import router as referrals
from app.surveys.routes import router as surveys

DOCS = (Path(ROOT) / "docs" / "api.md").read_text()
PREFIX = "/api/v1"


def routes_of(*routers):
    app = FastAPI()
    for each in routers:
        app.include_router(each)
    return {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}


def test_the_documented_api_is_the_real_one():
    documented = {
        (method, path)
        for method, path in re.findall(r"^\| `(GET|POST|PUT|PATCH) (/[^`?]*)`", DOCS, re.MULTILINE)
    }
    real = {(method, path.removeprefix(PREFIX)) for method, path in routes_of(router)}
    assert documented == real


def test_each_documented_scope_is_the_one_its_route_wants():
    from app.admin.api import PARTS

    said = dict(re.findall(r"^\| `((?:GET|POST|PUT|PATCH) /[^`?]*)` \| (\w+) \|", DOCS, re.MULTILINE))
    for part in PARTS:
        for route in part.router.routes:
            (method,) = route.methods
            assert said[f"{method} {route.path}"] == next(_scopes(route.dependant)).value


def _scopes(dependant):
    scope = getattr(dependant.call, "wants", None)
    if scope:
        yield scope
    for inner in dependant.dependencies:
        yield from _scopes(inner)


def test_the_customers_pages_are_documented():
    for _, path in routes_of(customers, referrals, surveys):
        stem = "/".join(path.split("/")[:3])
        assert f"`{stem}`" in DOCS, path


def test_every_word_of_the_terms_is_documented():
    from app.brands.programme import Programme

    for part, terms in Programme().as_json().items():
        for name in terms if isinstance(terms, dict) else [part]:
            assert f"`{name}`" in DOCS, name
