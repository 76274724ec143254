"""How a page that is only shown reads: each statement is a transaction of its own.

A session of SQLAlchemy's takes a page five times as long to open and close as its statement does
to be sent. What has to be written together has such a session (`app.base.db`).
"""

from typing import Any, Self

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.ext.asyncio import AsyncEngine


class Reading:
    """Executes statements (`app.base.prepared`) on one connection, which it takes with the first.

    A context manager, by which the connection goes back to the pool.
    """

    __slots__ = ("_connection", "_engine")

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # Nothing is sent to the server: no transaction is open.
            connection.close()

    @property
    def listeners(self) -> Any:
        """Those that the engine informs of each statement."""
        return self._engine.sync_engine.dispatch.before_cursor_execute

    async def connection(self) -> PoolProxiedConnection:
        """The connection, taken from the pool if need be."""
        if self._connection is None:
            self._connection = await self._engine.raw_connection()
        return self._connection

    def invalidate(self, error: BaseException) -> None:
        """Close the connection for good: nobody knows what it was doing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate(error)
