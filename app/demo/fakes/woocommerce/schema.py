"""Checks requests and responses against the schema that `tests/specs/cut.py` made."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it ships none


@cache
def load_schema() -> dict[str, Any]:
    """The cut schema."""
    text = (Path(__file__).parent / "schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@cache
def _validator(name: str) -> Draft7Validator:
    schema = load_schema()
    return Draft7Validator({"$ref": f"#/definitions/{name}", "definitions": schema["definitions"]})


def violations(name: str, value: object) -> list[str]:
    """What is wrong with a value by the definition of this name."""
    return [f"{each.json_path}: {each.message}"[:300] for each in _validator(name).iter_errors(value)]


def read_query(name: str, query: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The parameters of a list with their defaults, and what is wrong with them.

    WordPress reads numbers, booleans and lists from text.
    """
    schema = load_schema()["collections"][name]
    properties = schema["properties"]
    given = {key: _typed(value, properties.get(key, {}).get("type")) for key, value in query.items()}
    errors = [
        f"{each.json_path}: {each.message}"[:300] for each in Draft7Validator(schema).iter_errors(given)
    ]
    defaults = {key: each["default"] for key, each in properties.items() if "default" in each}
    return defaults | given, errors


def _typed(value: str, kind: str | None) -> object:
    if kind == "integer":
        return int(value) if value.lstrip("-").isdecimal() else value
    if kind == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(value, value)
    if kind == "array":
        return [int(each) if each.isdecimal() else each for each in value.split(",")]
    return value
