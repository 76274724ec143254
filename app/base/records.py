"""Rows of a statement that is built anew each time, read by the driver, not by the object mapper.

For what is only shown: lists, pages and their parts. An entity in the statement comes as a record,
a tuple with the names of the entity's columns and the entity's own properties, which belongs to no
session. SQLAlchemy takes three times as long for the same rows, most of it for objects that it
would have to follow. A statement that stays the same is a `Prepared` (`app.base.prepared`).
"""

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from operator import itemgetter
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Select, inspect
from sqlalchemy.util import LRUCache

from app.base.db import Base
from app.base.prepared import DIALECT, Prepared, Session, fetch, result_processor

_Part = Callable[[Sequence[Any]], Any]
"""Makes a value of a row from the values of its columns."""
_COMPILED: Any = LRUCache(500)
"""The compiled forms of statements, by their shapes."""
_READERS: "WeakKeyDictionary[Any, _Reader]" = WeakKeyDictionary()


async def read_rows(session: Session, statement: Select[*tuple[Any, ...]]) -> list[Any]:
    """The rows of a SELECT: tuples with the names that the statement gives its columns.

    An entity that an outer join did not find is None. Raises TypeError for an aliased entity.
    """
    # As the engine does; its own way to a compiled form that is kept is not public.
    compiled, extracted, collected, _ = statement._compile_w_cache(  # noqa: SLF001
        DIALECT, compiled_cache=_COMPILED, column_keys=[]
    )
    reader = _READERS.get(compiled)
    if reader is None:
        reader = _READERS[compiled] = _Reader(statement, compiled)
    sql, arguments = _bound(compiled, extracted, collected)
    return reader.rows(await fetch(session, sql, arguments))


async def read_first(session: Session, statement: Select[*tuple[Any, ...]]) -> Any:
    """The first row, as `read_rows` has it; None where there is none."""
    rows = await read_rows(session, statement)
    return rows[0] if rows else None


class Records(Prepared[Any]):
    """As `Prepared`, of a SELECT whose rows are those of `read_rows`."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        super().__init__(statement, tuple)
        self._selected = statement

    async def all(self, session: Session, /, **given: object) -> list[Any]:
        """The rows. Raises `TypeError` where a value is missing or not one of the statement's."""
        return self._reader.rows(await fetch(session, self._sql, self._arguments(given)))

    @cached_property
    def _reader(self) -> "_Reader":
        return _Reader(self._selected, self._selected.compile(dialect=DIALECT))


def _bound(compiled: Any, extracted: Any, collected: Any) -> tuple[str, list[Any]]:
    """The text, and the values in their order."""
    values = compiled.construct_params(
        extracted_parameters=extracted, escape_names=False, _collected_params=collected
    )
    sql, names, processors = compiled.string, compiled.positiontup, compiled._bind_processors  # noqa: SLF001
    if compiled.literal_execute_params or compiled.post_compile_params:
        state = compiled._process_parameters_for_postcompile(values)  # noqa: SLF001
        sql, names, values = state.statement, state.positiontup, state.parameters
        processors = {**processors, **state.processors}
    return sql, [
        processors[name](values[name]) if name in processors else values[name] for name in names or ()
    ]


class _Reader:
    """What makes rows of a statement of one shape from those of the driver."""

    __slots__ = ("_make", "_parts", "_processors")

    def __init__(self, statement: Select[*tuple[Any, ...]], compiled: Any) -> None:
        columns = compiled._result_columns  # noqa: SLF001
        found = ((place, result_processor(each.type)) for place, each in enumerate(columns))
        self._processors = [(place, process) for place, process in found if process is not None]
        described = statement.column_descriptions
        self._parts = [_part(each, columns) for each in described]
        names = [each["name"] or f"column_{place}" for place, each in enumerate(described)]
        row: Any = namedtuple("ReadRow", names, rename=True)  # type: ignore[misc]  # noqa: PYI024
        self._make = row._make

    def rows(self, fetched: Sequence[Sequence[Any]]) -> list[Any]:
        """The rows."""
        processors, parts, make = self._processors, self._parts, self._make
        made = []
        for row in fetched:
            values = list(row)
            for place, process in processors:
                values[place] = process(values[place])
            made.append(make([part(values) for part in parts]))
        return made


def _part(described: Any, columns: Sequence[Any]) -> _Part:
    """What makes one of the selected values."""
    entity = described["expr"]
    if described["aliased"] and described["entity"] is entity:
        raise TypeError(f"an alias of {entity} cannot be read as a record")
    if not (isinstance(entity, type) and issubclass(entity, Base)):
        return itemgetter(_place_of(getattr(entity, "expression", entity), columns))
    mapper = inspect(entity)
    places = [_place_of(each.columns[0], columns) for each in mapper.column_attrs]
    keys = itemgetter(*(_place_of(each, columns) for each in mapper.primary_key), places[0])
    values, make = itemgetter(*places), record_type(entity)._make

    def part(row: Sequence[Any]) -> Any:
        return make(values(row)) if any(key is not None for key in keys(row)) else None

    return part


def _place_of(column: Any, columns: Sequence[Any]) -> int:
    """The place of a column or label among those of the statement. Raises LookupError for none."""
    for place, each in enumerate(columns):
        if any(not isinstance(one, str) and hash(one) == hash(column) for one in each.objects):
            return place
    raise LookupError(f"{column} is not among the columns of the statement")


@cache
def record_type(entity: type[Base]) -> Any:
    """The type of an entity's records: the values of its columns and its own properties."""
    names = [each.key for each in inspect(entity).column_attrs]
    own = {
        name: value
        for name, value in vars(entity).items()
        if isinstance(value, property | FunctionType) and not name.startswith("__")
    }
    fields = namedtuple(f"{entity.__name__}Record", names)  # type: ignore[misc]  # noqa: PYI024
    return type(fields.__name__, (fields,), {"__slots__": (), **own})
