"""Inside each package imports go `routes > steps > models > rules`, and only routes know the web
framework.

Layers between packages are import-linter's; these are the layers inside them, read from the import
statements."""

import ast
import re
import tomllib
from collections.abc import Iterable
from enum import IntEnum
from functools import cache
from pathlib import Path

import pytest

from tests.support.constants import PROJECT

APP = PROJECT / "app"
WEB = {"fastapi", "starlette", "app.base.web"}
"""The web framework, and our own modules on top of it."""
IMPURE = {
    *WEB,
    "sqlalchemy",
    "asyncpg",
    "pgqueuer",
    "aiohttp",
    "twilio",
    "sendgrid",
    "secrets",
    "random",
    "app.base.clock",
    "app.base.context",
    "app.base.db",
    "app.base.tokens",
    "app.base.http",
}
"""What decides nothing: databases, the web, vendors, the clock and chance."""
WEB_MODULES = {
    "app.main",  # the web process
    "app.admin.auth",  # who makes a request: cookies, headers and the permissions of routes
    "app.admin.csrf",  # forms of the dashboard: where they come from, and their token
    "app.admin.idempotency",  # stored responses of requests
    "app.admin.listing",  # cursors and filters of list endpoints
    "app.admin.sign_in_limits",  # counters of the process, which its application holds
}
"""Modules that know the web framework beside the routes, each with its reason."""
ARRAYS = {
    "app.base.batch",  # all other bulk statements
    "app.ingest.store",  # every delivery
    "app.messaging.queue",  # every message, as all below
    "app.messaging.claim",
    "app.messaging.outcomes",
    "app.referrals.gather",  # every friend's order
    "app.referrals.code_uses",  # every redemption
}
"""Modules with raw SQL over `unnest` arrays, the exception that `app/base/batch.py` explains."""
PURE_NAMES = {"rules", "programme"}
PURE_MODULES = {
    "app.admin.filter_texts",
    "app.customers.contact",
    "app.customers.names",
    "app.customers.person",
    "app.customers.places",
    "app.customers.relays",
    "app.messaging.gsm",
}
"""Modules of the lowest level that are not named `rules`."""


class Level(IntEnum):
    rules = 0
    models = 1
    steps = 2
    routes = 3


def level_of(module: str) -> Level:
    """The level of a module, by its name. `schemas` shape what steps return, so they are on their
    level."""
    _, *parts = module.split(".")
    last = parts[-1] if parts else ""
    if (
        module in WEB_MODULES
        or parts[:2] == ["base", "web"]
        or {"api", "dashboard"} & {*parts}
        or last in ("routes", "pages")
    ):
        return Level.routes
    if last.endswith(("_routes", "_pages")):
        return Level.routes
    if last in PURE_NAMES or last.endswith("_rules") or module in PURE_MODULES:
        return Level.rules
    if (last == "models" or last.endswith("_models")) and parts[0] != "base":
        # Tables of base are beside what they are made of.
        return Level.models
    return Level.steps


def name_of(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(nodes: Iterable[ast.AST]) -> set[str]:
    """Every module that these nodes import.

    `from package import module` counts as the module where it is one.
    """
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
    return found


FILES = {name_of(path): path for path in APP.rglob("*.py")}
MODULES = FILES.keys()


@cache
def every_import() -> dict[str, set[str]]:
    """What each module imports, at its top or in a function."""
    return {module: imports_of(ast.walk(ast.parse(path.read_text()))) for module, path in FILES.items()}


def loaded_with(*modules: str) -> set[str]:
    """What is imported before a function of these modules is called."""
    found, new = set(modules), set(modules)
    while new:
        trees = [ast.parse(FILES[each].read_text()).body for each in new if each in FILES]
        new = set().union(*(imports_of(tree) for tree in trees)) - found
        found |= new
    return found


def is_one_of(module: str, names: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def test_only_routes_import_the_web_framework():
    wrong = [
        f"{module} imports {each}"
        for module, imported in every_import().items()
        if level_of(module) is not Level.routes
        for each in imported
        if is_one_of(each, WEB)
    ]
    assert wrong == []


def test_rules_import_no_database_web_vendor_clock_or_chance():
    rules = [module for module in MODULES if level_of(module) is Level.rules]
    assert len(rules) >= 8
    wrong = [
        f"{module} imports {each}"
        for module in rules
        for each in every_import()[module]
        if is_one_of(each, IMPURE)
    ]
    assert wrong == []


def test_a_module_that_says_it_is_pure_is_so():
    """Hashes and the errors of calls are pure, though they stand beside what is not."""
    impure = IMPURE - {"app.base.tokens", "app.base.http"}
    docstrings = {module: path.read_text().split('"""', 2)[1:2] for module, path in FILES.items()}
    pure = [module for module, found in docstrings.items() if any("Pure." in text for text in found)]
    assert len(pure) >= 40
    assert [
        f"{module} imports {each}"
        for module in pure
        for each in every_import()[module]
        if is_one_of(each, impure)
    ] == []


def test_the_contract_of_rules_is_about_every_module_of_rules():
    """It follows imports over several modules, where the test above reads one."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [each for each in settings["contracts"] if each["type"] == "forbidden"]
    rules = {module for module in MODULES if level_of(module) is Level.rules}
    assert set(contract["source_modules"]) == rules - PURE_MODULES


@pytest.mark.parametrize(
    "package", sorted(path.name for path in APP.iterdir() if (path / "__init__.py").exists())
)
def test_imports_inside_a_package_go_down(package):
    inside = {module for module in MODULES if module.split(".")[1:2] == [package]}
    wrong = [
        f"{module} ({level_of(module).name}) imports {each} ({level_of(each).name})"
        for module in inside
        for each in every_import()[module] & inside
        if level_of(each) > level_of(module)
    ]
    assert wrong == []


def test_a_worker_loads_the_clients_of_no_vendor_that_is_not_chosen():
    loaded = loaded_with("app.worker", "app.wiring")
    assert "app.messaging.providers.outbox.client" in loaded
    assert sorted(each for each in loaded if is_one_of(each, {"twilio", "sendgrid", "aiosmtplib"})) == []


def test_a_module_that_may_know_the_web_does_know_it():
    assert [
        module
        for module in WEB_MODULES
        if not any(is_one_of(each, WEB) for each in every_import().get(module, set()))
    ] == []


def test_steps_write_the_audit_log_and_routes_do_not():
    assert [
        module
        for module in MODULES
        if level_of(module) is Level.routes and "record_action" in FILES[module].read_text()
    ] == []


def test_bulk_statements_over_arrays_are_only_in_the_hot_paths():
    found = {module for module in MODULES if "unnest(" in FILES[module].read_text()}
    assert found == ARRAYS


def test_dependencies_of_routes_are_async():
    """Any other one is called in a thread by the framework, on every request."""
    found, wrong = set(), []
    for module, path in FILES.items():
        source = path.read_text()
        if "Depends(" not in source:
            continue
        nodes = list(ast.walk(ast.parse(source)))
        names = {
            call.args[0].id
            for call in nodes
            if isinstance(call, ast.Call)
            and getattr(call.func, "id", "") == "Depends"
            and isinstance(call.args[0], ast.Name)
        }
        found |= names
        wrong += [
            f"{module}.{node.name}"
            for node in nodes
            if isinstance(node, ast.FunctionDef) and node.name in names
        ]
    assert {"_context", "open_session", "_authenticated"} <= found
    assert wrong == []


def test_no_module_of_tests_imports_another():
    modules = [path for path in (PROJECT / "tests").rglob("*.py") if path.name != "conftest.py"]
    tests = {".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in modules if _is_test(path)}
    assert tests
    importing = {
        str(path.relative_to(PROJECT)): found
        for path in modules
        if (
            found := sorted(set(re.findall(r"^from ([\w.]+) import", path.read_text(), re.MULTILINE)) & tests)
        )
    }
    assert importing == {}


def _is_test(path: Path) -> bool:
    return path.name.startswith("test_")
