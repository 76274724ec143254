"""docs/api.md describes what the program does: the operations there are those of OpenAPI."""

import re
from pathlib import Path

from app.base.paths import ROOT
from tests.support.apps import openapi_document

DOCS = (Path(ROOT) / "docs" / "api.md").read_text()
APP = Path(ROOT) / "app"
PREFIX = "/api/v1"


def test_the_documented_operations_are_those_of_openapi():
    documented = re.findall(r"^\| `(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)`", DOCS, re.MULTILINE)
    real = [
        (method.upper(), path.removeprefix(PREFIX))
        for path, methods in openapi_document()["paths"].items()
        for method in methods
    ]
    assert set(real) - set(documented) == set(), "docs/api.md has no row of these"
    assert set(documented) - set(real) == set(), "docs/api.md has rows of what does not exist"
    assert len(documented) == len(set(documented)), "docs/api.md has two rows of one operation"


def test_each_documented_scope_is_the_one_its_route_wants():
    from app.admin.api import PARTS

    documented = dict(
        re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) /[^`?]*)` \| (\w+) \|", DOCS, re.MULTILINE)
    )
    for part in PARTS:
        for route in part.router.routes:
            (method,) = route.methods
            assert documented[f"{method} {route.path}"] == next(_scopes(route.dependant)).value


def _scopes(dependant):
    scope = getattr(dependant.call, "wants", None)
    if scope:
        yield scope
    for inner in dependant.dependencies:
        yield from _scopes(inner)


def test_every_error_code_of_the_api_is_documented():
    listed = DOCS[DOCS.index("Codes: `") :].split("`")[1].split()
    raised = set()
    for package in ("admin/api", "admin/auth", "admin/listing", "admin/idempotency", "checkout"):
        found = APP / f"{package}.py"
        for file in [found] if found.exists() else (APP / package).glob("*.py"):
            raised |= set(re.findall(r'AppError\(\s*"(\w+)"', file.read_text()))
    assert raised
    assert raised - set(listed) == set()


def test_every_word_of_the_terms_is_documented():
    from app.brands.programme import Programme

    for part, terms in Programme().as_json().items():
        for name in terms if isinstance(terms, dict) else [part]:
            assert f"`{name}`" in DOCS, name


def test_every_skip_reason_and_kind_of_reward_is_documented():
    from app.brands.programme import RewardKind
    from app.surveys.rules import SkipReason

    reasons = DOCS[DOCS.index("skipped with `") :].split("`")[1].split()
    assert set(reasons) == set(SkipReason)
    kinds = DOCS[DOCS.index("| `reward` | `kind` `") :].split("`")[5].split("\\|")
    assert set(kinds) == set(RewardKind)
