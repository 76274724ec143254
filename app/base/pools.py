"""How a process divides the connections that it may hold, and whether the server has as many.

A process never holds more than `TENFOLD_DATABASE_POOL`. Deliveries of shops have a pool of their
own, and so have the reports of providers, so that pages, API calls and each other's waiting for a
lock leave them alone.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.base.errors import AppError

QUEUE_CONNECTIONS = 2
"""Of a worker's queue engine: one listens, the other asks and reports."""
_URGENT = 3
"""Of a worker's thread for urgent messages: one listens, the others claim and record."""
_HOOKS = 3
"""One stores, one stores for brands that are held up, one reads shops."""
_PROVIDERS = 2
"""Of the reports of providers: where one waits for a lock, the other stores."""
_COMMAND = 4


@dataclass(frozen=True, slots=True)
class Pools:
    """The number of connections by use."""

    main: int
    hooks: int = 0
    queue: int = 0
    providers: int = 0
    """0: reports of providers share those of `hooks`."""
    urgent: int = 0
    """0: urgent messages are sent by the same loop and connections as all others."""


def web_pools(total: int) -> Pools:
    """Of a web process."""
    hooks, providers = (_HOOKS, _PROVIDERS) if total >= 10 else (2, 1)
    return Pools(total - hooks - providers, hooks=hooks, providers=providers)


def worker_pools(total: int) -> Pools:
    """Of a worker process."""
    urgent = _URGENT if total >= 8 else 2
    return Pools(total - QUEUE_CONNECTIONS - urgent, queue=QUEUE_CONNECTIONS, urgent=urgent)


def serve_pools(total: int) -> tuple[Pools, Pools]:
    """Of the web and the worker part of one process."""
    left = total - 4
    return Pools(left - left // 2, hooks=2), Pools(left // 2, queue=QUEUE_CONNECTIONS)


def command_pools(total: int) -> Pools:
    """Of an operator's command."""
    return Pools(min(total, _COMMAND))


# A server before version 16 has no `reserved_connections`; -1 is without limit.
_ALLOWED = text("""
    SELECT least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0),
        (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
        (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
    )
""")


async def check_connections(engine: AsyncEngine, pool: int, *, processes: int = 1) -> None:
    """Raise `AppError` (`pool_too_large`) where the server allows fewer connections than all hold.

    `pool` is what each of the processes may hold.
    """
    async with engine.connect() as connection:
        allowed = int(await connection.scalar(_ALLOWED) or 0)
    needed = pool * processes
    if needed > allowed:
        of_all = f"{processes} processes" if processes > 1 else "this process"
        raise AppError(
            "pool_too_large",
            f"With TENFOLD_DATABASE_POOL={pool} {of_all} may hold {needed} connections, but the database "
            f"server allows {allowed}; lower it, or raise the server's max_connections.",
        )
