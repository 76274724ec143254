"""Statements of the paths that run most: compiled once a process, executed by the driver itself.

They are executed in the session's own transaction, on its own connection, or each in one of its own
where a page reads (`app.base.reading`). SQLAlchemy executes the
same statement in four to six times the processor time: most of it is spent on building the
statement, finding its compiled form and wrapping its result (docs/decisions/0014). What listens for
statements of the engine hears of these too, and errors are the ones that SQLAlchemy raises. As with
SQLAlchemy, a connection whose statement was cancelled is closed, whatever it was about to do.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import asyncpg
import orjson
from sqlalchemy import Executable, Numeric, TextClause
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session as SyncSession
from sqlalchemy.types import TypeEngine

from app.base.db import to_json
from app.base.reading import Reading

Row = TypeVar("Row")
Value = TypeVar("Value")
Session = AsyncSession | Reading
"""Where a prepared statement is executed."""
_Process = Callable[[Any], Any]
DIALECT: Any = PGDialect_asyncpg(json_serializer=to_json, json_deserializer=orjson.loads)  # type: ignore[no-untyped-call]
"""As that of the engine."""
_HELD = "prepared.connection"


def one_value(value: Value) -> Value:
    """What a row becomes of a statement that returns one column."""
    return value


class Prepared(Generic[Row]):
    """A statement whose values are all bound by name, and the type that a row of it is made into.

    `into` gets a row's values in their order. Values of enum columns are members, JSON is parsed,
    as with SQLAlchemy. Texts and numbers that are always the same stand in the statement's text.
    """

    def __init__(self, statement: Executable, into: Callable[..., Row]) -> None:
        self._statement = statement
        self._into = into

    async def all(self, session: Session, /, **given: object) -> list[Row]:
        """The rows. Raises `TypeError` where a value is missing or not one of the statement's."""
        into, processors = self._into, self._processors
        rows = await fetch(session, self._sql, self._arguments(given))
        if not processors:
            return [into(*row) for row in rows]
        made = []
        for row in rows:
            values = list(row)
            for place, process in processors:
                values[place] = process(values[place])
            made.append(into(*values))
        return made

    async def first(self, session: Session, /, **given: object) -> Row | None:
        """The first row; None where there is none. Raises as `all`."""
        rows = await self.all(session, **given)
        return rows[0] if rows else None

    async def run(self, session: Session, /, **given: object) -> int:
        """Write; returns how many rows the statement inserted, changed or deleted."""
        return await execute(session, self._sql, self._arguments(given))

    def _arguments(self, given: Mapping[str, object]) -> list[object]:
        slots = self._slots
        if len(given) != self._count:
            raise TypeError(f"the statement takes {self._count} values, not {sorted(given)}")
        try:
            return [
                constant if name is None else given[name] if process is None else process(given[name])
                for name, constant, process in slots
            ]
        except KeyError as error:
            raise TypeError(f"the statement's value {error} is missing") from error

    @cached_property
    def _compiled(self) -> tuple[str, list[tuple[str | None, object, _Process | None]]]:
        """The text, and for each place the name of its value, or the constant that it always is."""
        statement: Any = self._statement
        for bind in statement.compile(dialect=DIALECT).binds.values():
            # In the text, so that a plan that is made once can use an index over some rows.
            bind.literal_execute = not bind.required and _is_plain(bind.value)
        compiled = statement.compile(dialect=DIALECT)
        required = {bind.key: None for bind in compiled.binds.values() if bind.required}
        state = compiled.construct_expanded_state(required)
        processors = {
            name: bind.type.dialect_impl(DIALECT).bind_processor(DIALECT)
            for bind, name in compiled.bind_names.items()
        } | dict(state.processors)
        slots: list[tuple[str | None, object, _Process | None]] = []
        for name in state.positiontup or ():
            process = processors.get(name)
            if name in required:
                slots.append((name, None, process))
            else:
                value = state.parameters[name]
                slots.append((None, value if process is None else process(value), None))
        return state.statement, slots

    @cached_property
    def _sql(self) -> str:
        return self._compiled[0]

    @cached_property
    def _slots(self) -> Sequence[tuple[str | None, object, _Process | None]]:
        return self._compiled[1]

    @cached_property
    def _count(self) -> int:
        return len({name for name, _, _ in self._slots if name is not None})

    @cached_property
    def _processors(self) -> Sequence[tuple[int, _Process]]:
        """What makes a value of the driver the value of its column, by the place of the column."""
        columns = () if isinstance(self._statement, TextClause) else self._statement.exported_columns  # type: ignore[attr-defined]
        found = ((place, result_processor(each.type)) for place, each in enumerate(columns))
        return [(place, process) for place, process in found if process is not None]


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) or (
        isinstance(value, list | tuple | set | frozenset)
        and all(isinstance(each, str | int) for each in value)
    )


def result_processor(of: TypeEngine[Any]) -> _Process | None:
    """What makes a value of the driver the value of a column of this type; None for nothing."""
    if isinstance(of, Numeric):
        # The driver makes decimals by itself; SQLAlchemy asks for the type that was sent.
        return None
    return of.dialect_impl(DIALECT).result_processor(DIALECT, None)


async def fetch(session: Session, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
    """The rows of a statement in the driver's own form, `$1`, in the session's transaction."""
    held = await _hold(session)
    _report(held, sql, arguments)
    try:
        return await held.driver.fetch(sql, *arguments)  # type: ignore[no-any-return]  # untyped
    except _ERRORS as error:
        raise _translated(held, sql, error) from error
    except asyncio.CancelledError as error:
        held.invalidate(error)
        raise


async def execute(session: Session, sql: str, arguments: Sequence[object]) -> int:
    """As `fetch`, of a statement that writes; returns how many rows."""
    held = await _hold(session)
    _report(held, sql, arguments)
    try:
        status = await held.driver.execute(sql, *arguments)
    except _ERRORS as error:
        raise _translated(held, sql, error) from error
    except asyncio.CancelledError as error:
        held.invalidate(error)
        raise
    return int(status.rpartition(" ")[2])


class _Held:
    """A connection on which statements are executed."""

    __slots__ = ("adapter", "driver", "invalidate", "listeners", "transaction")

    def __init__(
        self,
        connection: Any,
        invalidate: Callable[[BaseException], None],
        listeners: Iterable[Any],
        transaction: object,
    ) -> None:
        self.adapter = connection.dbapi_connection
        self.driver = connection.driver_connection
        self.invalidate = invalidate
        self.listeners = listeners
        self.transaction = transaction


async def _hold(session: Session) -> _Held:
    """The connection, in the session's transaction, with what the session has not written yet."""
    if isinstance(session, Reading):
        return _Held(await session.connection(), session.invalidate, session.listeners, None)
    sync = session.sync_session
    if sync.new or sync.dirty or sync.deleted:
        await session.flush()
    held = sync.info.get(_HELD)
    if not isinstance(held, _Held) or held.transaction is not _transaction(sync):
        # In a nested transaction this makes the savepoint too, which waits for the first statement.
        connection: Any = (await session.connection()).sync_connection
        listeners = connection.dispatch.before_cursor_execute
        transaction = _transaction(sync)
        held = _Held(connection.connection, connection.invalidate, listeners, transaction)
        sync.info[_HELD] = held
    if held.adapter._transaction is None:  # noqa: SLF001  # SQLAlchemy has no public way to begin
        try:
            await held.adapter._start_transaction()  # noqa: SLF001
        except asyncio.CancelledError as error:
            # It may have begun: the next one to use the connection would commit nothing.
            held.invalidate(error)
            raise
    return held


def _transaction(sync: SyncSession) -> object:
    """The session's innermost transaction."""
    return sync.get_nested_transaction() or sync.get_transaction()


def _report(held: _Held, sql: str, arguments: Sequence[object]) -> None:
    """Inform those who listen for statements: tests, and who counts."""
    for listener in held.listeners:
        listener(None, None, sql, arguments, None, False)  # noqa: FBT003  # its signature


_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


def _translated(held: _Held, sql: str, error: Exception) -> Exception:
    """The error that SQLAlchemy raises for one of the driver's."""
    adapter = held.adapter
    try:
        adapter._handle_exception(error)  # noqa: SLF001  # raises the adapter's own error
    except adapter.dbapi.Error as own:
        wrapped: Exception = DBAPIError.instance(
            sql,
            None,
            own,
            adapter.dbapi.Error,
            hide_parameters=True,
            connection_invalidated=held.driver.is_closed(),
            dialect=DIALECT,
        )
        return wrapped
    except Exception as other:  # noqa: BLE001  # what it does not know is raised as it is
        return other
    return error
