"""docs/architecture.md names files that exist, every package, and answers where to change what."""

import ast
import re

import pytest

from tests.support.constants import PROJECT

TEXT = (PROJECT / "docs" / "architecture.md").read_text(encoding="utf-8")
PATHS = sorted(
    set(
        re.findall(
            r"`((?:app|docs|locales|migrations|static|templates|tests|benchmarks)/[\w./-]+|pyproject\.toml)`",
            TEXT,
        )
    )
)
WORDS = {"period_rules"}
"""What maps name besides modules of their own package."""
QUESTIONS = (
    "a reminder's wording",
    "a language",
    "a dashboard screen",
    "a reward kind",
    "a platform",
    "an SMS provider",
    "an outgoing webhook",
    "a skip reason",
    "an invariant",
)


def test_paths_are_found_in_the_text():
    assert len(PATHS) >= 40


@pytest.mark.parametrize("path", PATHS)
def test_a_named_path_exists(path):
    assert (PROJECT / path).exists()


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_names_files(question):
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| {question} |")]
    assert [path for path in PATHS if f"`{path}`" in row]


def test_each_file_is_named_with_its_path():
    assert re.findall(r"`([\w-]+\.(?:py|html|txt|mjml|css))`", TEXT) == []


def maps():
    """The docstrings of packages that list what their modules are for."""
    for path in sorted((PROJECT / "app").rglob("__init__.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if "\n- " in text:
            yield path.parent, text


def test_a_map_of_a_package_names_each_of_its_modules_and_no_other():
    found = list(maps())
    assert len(found) >= 5
    wrong = {}
    for folder, text in found:
        named = set(re.findall(r"`([a-z_]+)`", text))
        modules = {path.stem for path in folder.iterdir() if path.suffix == ".py"} - {"__init__"}
        packages = {path.parent.name for path in folder.glob("*/__init__.py")}
        if missing := modules - named:
            wrong[f"{folder.name} lacks"] = missing
        if strange := named - modules - packages - WORDS:
            wrong[f"{folder.name} names"] = strange
    assert wrong == {}


def test_every_package_is_in_the_picture():
    picture = TEXT.split("```")[1]
    packages = {path.parent.name for path in (PROJECT / "app").glob("*/__init__.py")}
    modules = {path.stem for path in (PROJECT / "app").glob("*.py")} - {"__init__"}
    drawn = {word for line in picture.splitlines() for word in re.split(r"[ |]+", line[:26]) if word}
    assert packages | modules <= drawn
