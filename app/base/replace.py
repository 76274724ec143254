"""Changed copies of frozen dataclasses, as every order needs some."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Value = TypeVar("_Value", bound="DataclassInstance")


def replaced(value: _Value, **changes: object) -> _Value:
    """As `dataclasses.replace`, in less than half of its time.

    For a dataclass with two fields at least, each of which its `__init__` takes by position. Raises
    `KeyError` for a name that it does not have.
    """
    values_of, places = _layout(type(value))
    values = list(values_of(value))
    for name, changed in changes.items():
        values[places[name]] = changed
    return type(value)(*values)


@cache
def _layout(of: "type[DataclassInstance]") -> tuple[Callable[[Any], tuple[Any, ...]], Mapping[str, int]]:
    names = [each.name for each in fields(of)]
    return attrgetter(*names), {name: place for place, name in enumerate(names)}
