"""Names in the code use the field's standard words; words that had another meaning here do not come
back."""

import ast
import re
from collections.abc import Iterator

import pytest

from app.base.paths import ROOT

FORBIDDEN = {
    "advocate": "referrer",
    "answers": "responses (what a survey got), returns (what a function does)",
    "carrier": "provider",
    "clawed": "reversed",
    "door": "webhook, endpoint, page",
    "doors": "webhooks, endpoints, pages",
    "filling": "template_params",
    "floor": "layer",
    "forget": "erase",
    "ground": "context",
    "honour": "redemptions_enabled",
    "honouring": "redemptions_enabled",
    "house": "environment, project",
    "ills": "problems",
    "nights": "quiet hours",
    "offence": "violation",
    "patience": "grace, timeout",
    "postpone": "defer",
    "postponed": "deferred",
    "purse": "budget",
    "reckon": "compute",
    "room": "package",
    "said": "event, text, result",
    "tell": "report",
    "teller": "reporter",
    "told": "reported",
    "verdict": "result, decision",
    "wish": "request",
}
"""A word that no name of ours contains, and what to call it instead."""
LITERAL = {"names_a_house"}
"""Names that mean the word itself: the house number of an address."""
NOT_YET: set[str] = set()
"""Files that still have such a name; the list only shrinks."""


def names(source: str) -> Iterator[str]:
    """Every name that a module gives: functions, classes, arguments, variables, attributes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.alias(asname=str(name)):
                yield name


def words(name: str) -> set[str]:
    """The words of a name in snake or camel case, in lower case."""
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def forbidden_names(source: str) -> set[str]:
    return {name for name in names(source) if words(name) & FORBIDDEN.keys()} - LITERAL


def test_no_name_uses_a_forbidden_word():
    found = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        shown = str(path.relative_to(ROOT))
        bad = forbidden_names(path.read_text()) | {word for word in words(path.stem) if word in FORBIDDEN}
        if bad and shown not in NOT_YET:
            found[shown] = {
                name: [FORBIDDEN[word] for word in words(name) & FORBIDDEN.keys()] for name in bad
            }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def tell_all(): ...", {"tell_all"}),
        ("class CarrierLane: ...", {"CarrierLane"}),
        ("def send(door, *, said=None): ...", {"door", "said"}),
        ("self._verdict = 1", {"_verdict"}),
        ("import provider as carrier", {"carrier"}),
        ("outdoors = other.said = 'the door'", {"said"}),
        ("responses = provider.results", set()),
    ],
)
def test_the_check_finds_the_names_that_are_given(source: str, found: set[str]):
    assert forbidden_names(source) == found
