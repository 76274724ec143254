"""Which failures of the database pass by themselves, and repeating a transaction after them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, PendingRollbackError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.base import clock
from app.base.log import logger

log = logger(__name__)

T = TypeVar("T")

_PAUSE_SECONDS = 0.5

TRIES = 3
"""How often a transaction is tried in all."""


def sqlstate_of(error: BaseException) -> str:
    """The five characters of a database error's SQLSTATE; empty for any other error."""
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")


def is_conflict(error: BaseException) -> bool:
    """Whether the database rolled the work back because of a concurrent transaction.

    These are SQLSTATE class 40: deadlocks and serialization failures. The same work can succeed
    when it is repeated.
    """
    return isinstance(error, DBAPIError) and sqlstate_of(error).startswith("40")


LOCK_NOT_AVAILABLE = "55P03"
_PASSING_CLASSES = ("08", "28", "3D", "40", "53", "57", "58")
"""SQLSTATE classes: connection, login, no such database, rollback, resources (a full disk, too many
connections), operator (a shutdown, `statement_timeout`), the server's system."""
_PASSING = (LOCK_NOT_AVAILABLE, "25P03", "25P04", "25006")
"""`lock_timeout`; the time-outs of a transaction; a standby that is not promoted yet."""


def is_unavailable(error: BaseException | None) -> bool:
    """Whether the database could not do the work now, and the same request can succeed later.

    Includes the process's own pool without a free connection. An operating system's error about a
    named file is none: that is our own mistake.
    """
    while error is not None:
        state = sqlstate_of(error)
        if state[:2] in _PASSING_CLASSES or state in _PASSING:
            return True
        if isinstance(error, (PoolTimeoutError, InterfaceError, asyncpg.InterfaceError)):
            return True
        # The driver's own state, where a connection is lost between two steps of a statement.
        if isinstance(getattr(getattr(error, "orig", None), "__cause__", None), asyncpg.InternalClientError):
            return True
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return True
        if isinstance(error, OSError):
            return error.filename is None
        # A session whose connection was lost reports that it must be rolled back first.
        error = error.__context__ if isinstance(error, PendingRollbackError) else None
    return False


async def retry_unavailable(work: Callable[[], Awaitable[T]], *, name: str, seconds: float) -> T:
    """Return the result of `work`, repeated while the database is unavailable, for so many seconds.

    For what must not be lost, such as the outcome of a send. `work` must open its transaction by
    itself. Raises the last failure, every other error at once. `name` is logged.
    """
    deadline = clock.monotonic() + seconds
    while True:
        try:
            return await work()
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if not is_unavailable(error) or clock.monotonic() >= deadline:
                raise
            log.warning("the database is unavailable; the work is repeated", name=name)
            await asyncio.sleep(_PAUSE_SECONDS)


async def retry_conflicts(work: Callable[[], Awaitable[T]], *, name: str, tries: int = TRIES) -> T:
    """Return the result of `work`, repeated at once after a deadlock or serialization failure.

    `work` must open what the failure rolls back, a transaction or a savepoint, by itself. After a
    savepoint's rollback PostgreSQL has released the locks taken since the savepoint. Raises the
    last failure after `tries`, every other error at once. `name` is logged.
    """
    for left in range(tries - 1, -1, -1):
        try:
            return await work()
        except DBAPIError as error:
            if left == 0 or not is_conflict(error):
                raise
            log.warning("a transaction met a concurrent one; it is repeated", name=name)
    raise AssertionError("unreachable")
