"""Repeat a transaction that PostgreSQL rolled back because of another one."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from app.base.log import logger

log = logger(__name__)

T = TypeVar("T")

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
