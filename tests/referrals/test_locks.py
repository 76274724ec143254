"""Advisory locks of one brand are told apart by their class: two rooms with one class would wait
for each other."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import app
from app.base.schema import MIGRATION_LOCK
from app.demo.environment import _ONE_DEMO
from app.ingest.process import TURN
from app.referrals.gather import _BUDGET_LOCK
from app.surveys.send import _DAY_LOCK


def test_every_advisory_lock_has_a_class_of_its_own() -> None:
    found = list(lock_classes())
    assert {TURN, _BUDGET_LOCK, _DAY_LOCK} < set(found), "the search finds the locks there are"
    assert len(found) > 3
    shared = {
        hex(number) for number, times in Counter([*found, MIGRATION_LOCK, _ONE_DEMO]).items() if times > 1
    }
    assert not shared


def lock_classes() -> Iterator[int]:
    """The first of the two keys of every advisory lock that the app takes, once for each module
    that takes it."""
    for path in sorted(Path(app.__path__[0]).rglob("*.py")):
        source = path.read_text()
        if "advisory" not in source:
            continue
        tree = ast.parse(source)
        named = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        yield from {
            number_of(call.args[0], named)
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and is_lock(call)
            # A name that is imported is another module's lock, taken here too.
            and (not isinstance(call.args[0], ast.Name) or call.args[0].id in named)
        }


def is_lock(call: ast.Call) -> bool:
    """Whether this takes a lock by a class and a second key; those by one number are another space
    of the database's."""
    return isinstance(call.func, ast.Attribute) and "advisory" in call.func.attr and len(call.args) == 2


def number_of(node: ast.expr, named: dict[str, ast.expr]) -> int:
    """The number that is written there, or behind the module's name for it."""
    number = ast.literal_eval(named[node.id] if isinstance(node, ast.Name) else node)
    assert isinstance(number, int)
    return number
