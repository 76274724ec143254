"""A batch of rows as bound arrays, so that a statement stays the same whatever the batch's size.

Bulk writes are `insert().from_select(recordset(...))` and `update()` joined to a `recordset`. The
one exception is raw SQL over `unnest` in the statements that every delivery, message or redemption
goes through. `tests/project/test_layers.py` lists the files that have one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    JSON,
    BigInteger,
    BindParameter,
    ColumnElement,
    DateTime,
    Subquery,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
)
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.types import TypeEngine

from app.base.db import to_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_CONTROL = re.compile(r'\\[^"]')
"""The escape of a control character in JSON without its escaped backslashes."""


def recordset(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[QueryableAttribute[Any]], name: str = "given"
) -> Subquery:
    """Rows to select from, with the names and types of table columns; what a row lacks is null.

    One array a column is bound: at most 32,767 values may be bound in a statement, and a statement
    of one shape is prepared once. Values are what the engine writes as JSON (aware times, UUIDs and
    bytes included); a Decimal is passed as a string.

    An array is one text, as PostgreSQL writes it: Python takes a tenth of the time that the
    driver's own arrays take. Texts in JSON are the exception, since they would be escaped twice. A
    time is a number of microseconds there: as a date it takes PostgreSQL three times as long.
    """
    # An attribute of a table's column is computed anew each time it is asked for.
    typed = [(each.key, each.type) for each in columns]
    bound = zip(_arrays(rows, typed), typed, strict=True)
    return _unnested(typed, [literal(array, _array_type(of)) for array, (_, of) in bound], name)


def bound_recordset(columns: Sequence[QueryableAttribute[Any]], name: str = "given") -> Subquery:
    """As `recordset`, for a prepared statement, which takes the rows as `arrays_of` has them."""
    typed = [(each.key, each.type) for each in columns]
    arrays: list[BindParameter[Any]] = [
        bindparam(f"{_GIVEN}{key}", type_=_array_type(of)) for key, of in typed
    ]
    return _unnested(typed, arrays, name)


def parsed_once(given: Subquery) -> CTE:
    """The rows of a record set for a statement that joins them.

    Where the planner expects one row of the other table, it would have the arrays parsed anew for
    each of that table's rows.
    """
    return given.element.cte(given.name).prefix_with("MATERIALIZED")


def arrays_of(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[QueryableAttribute[Any]]
) -> dict[str, object]:
    """The values of a statement with a `bound_recordset` of these columns."""
    typed = [(each.key, each.type) for each in columns]
    return {f"{_GIVEN}{key}": array for (key, _), array in zip(typed, _arrays(rows, typed), strict=True)}


def arrays_of_tuples(
    rows: Sequence[Sequence[Any]], columns: Sequence[QueryableAttribute[Any]]
) -> dict[str, object]:
    """As `arrays_of`, of one row or more that have their values in the order of the columns."""
    of = [each.type for each in columns]
    arrays = _arrays_of_columns(list(zip(zip(*rows, strict=True), of, strict=True)), len(rows))
    return {f"{_GIVEN}{each.key}": array for each, array in zip(columns, arrays, strict=True)}


_GIVEN = "array_of_"


def _unnested(
    typed: Sequence[tuple[str, TypeEngine[Any]]], arrays: Sequence[BindParameter[Any]], name: str
) -> Subquery:
    """The arrays side by side; one that ends early goes on with nulls.

    In the list of columns PostgreSQL reads them in half the time that it takes in FROM, where each
    is stored as a table of its own first.
    """
    read = zip(arrays, typed, strict=True)
    return select(*(_elements(array, of).label(key) for array, (key, of) in read)).subquery(name)


def _elements(array: BindParameter[Any], of: TypeEngine[Any]) -> ColumnElement[Any]:
    if isinstance(of, DateTime):
        microseconds = func.unnest(cast(array, ARRAY(BigInteger)), type_=BigInteger)
        return _EPOCH_IN_SQL.op("+", return_type=of)(microseconds.op("*")(_MICROSECOND_IN_SQL))
    return func.unnest(cast(array, ARRAY(of)), type_=of)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_IN_SQL: ColumnElement[datetime] = literal_column("timestamptz 'epoch'", DateTime(timezone=True))
_MICROSECOND = timedelta(microseconds=1)
_MICROSECOND_IN_SQL: ColumnElement[timedelta] = literal_column("interval '1 microsecond'")
_MOST_MICROSECONDS = 1 << 53
"""With more than so many, after the year 2255, the database's product is not exact."""


def _microseconds(at: datetime | str) -> int:
    """Since 1970; a text is ISO 8601. Raises `ValueError` for a time far off, or without a zone."""
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be bound in a batch")
    count = (at - _EPOCH) // _MICROSECOND
    if abs(count) > _MOST_MICROSECONDS:
        raise ValueError(f"{at} cannot be bound in a batch")
    return count


def _array_type(of: TypeEngine[Any]) -> TypeEngine[Any]:
    return ARRAY(Text) if isinstance(of, JSON) else Text()


def _arrays(
    rows: Sequence[Mapping[str, Any]], typed: Sequence[tuple[str, TypeEngine[Any]]]
) -> list[str | list[str | None]]:
    """Each column's values as they are bound."""
    return _arrays_of_columns([([row.get(key) for row in rows], of) for key, of in typed], len(rows))


def _arrays_of_columns(
    columns: Sequence[tuple[Sequence[Any], TypeEngine[Any]]], count: int
) -> list[str | list[str | None]]:
    """As they are bound; without any element where all of a column's values are null."""
    absent = [values.count(None) == count for values, _ in columns]
    if all(absent):
        absent[0] = False  # it has as many elements as there are rows
    return [
        _array([] if no_value else values, of) for (values, of), no_value in zip(columns, absent, strict=True)
    ]


def _array(values: Sequence[Any], of: TypeEngine[Any]) -> str | list[str | None]:
    """The values as a PostgreSQL array; texts in JSON as a list of them."""
    if isinstance(of, JSON):
        return [None if value is None else to_json(value) for value in values]
    if isinstance(of, DateTime):
        return array_text([None if value is None else _microseconds(value) for value in values])
    return array_text(values)


def array_text(values: Sequence[Any]) -> str:
    """The values as a PostgreSQL array, for a text `CAST(CAST(:name AS text) AS uuid[])`.

    It is JSON but for the braces: quotes and backslashes are escaped alike, and `null` is the same.
    """
    array = to_json(values)
    if "\\" in array and _CONTROL.search(array.replace("\\\\", "")):
        array = f"[{','.join(map(_element, values))}]"
    return f"{{{array[1:-1]}}}"


def _element(value: Any) -> str:
    """A value in an array; a control character stands for itself there."""
    if not isinstance(value, str):
        return to_json(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def as_row(value: "DataclassInstance") -> dict[str, Any]:
    """Return a dataclass's values by name, not copied (`dataclasses.asdict` copies deeply)."""
    return {name: getattr(value, name) for name in _names(type(value))}


@cache
def _names(of: "type[DataclassInstance]") -> tuple[str, ...]:
    return tuple(field.name for field in fields(of))


def constant(value: Any, kind: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """A value of our own that stands in the statement's text instead of being bound.

    After `ON CONFLICT` of an `INSERT ... SELECT` all values are such: where tables are distributed
    (Citus), that statement is run in two parts, and the second one has no bound values.
    """
    return literal(value, kind, literal_execute=True)


def in_ids(subject: QueryableAttribute[Any], ids: Sequence[UUID]) -> ColumnElement[bool]:
    """Whether a column is one of these ids; one bound array however many there are."""
    return subject == any_(literal(list(ids), ARRAY(Uuid)))


def in_bound_ids(subject: QueryableAttribute[Any], name: str) -> ColumnElement[bool]:
    """As `in_ids`, for a prepared statement that takes the ids by this name, as a list."""
    return subject == any_(bindparam(name, type_=ARRAY(Uuid)))


def in_bound_texts(subject: QueryableAttribute[Any], name: str) -> ColumnElement[bool]:
    """As `in_texts`, for a prepared statement that takes the texts by this name, as a list."""
    return subject == any_(bindparam(name, type_=ARRAY(Text)))


def in_texts(subject: QueryableAttribute[Any], texts: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column is one of these texts; one bound array however many there are."""
    return subject == any_(literal(list(texts), ARRAY(Text)))
