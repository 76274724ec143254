"""The schema's revision: upgrade a database to head, and check whether it is at head."""

import asyncio

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.base import due
from app.base.db import MIGRATION, make_engine
from app.base.errors import AppError
from app.base.log import logger
from app.base.paths import ROOT
from app.base.retry import sqlstate_of

log = logger(__name__)

MIGRATION_LOCK = 0x7E4F01D
"""Advisory lock: several processes that start at once migrate one after the other."""
LOCK_MILLISECONDS = 1_000
"""How long a migration waits for a table's lock; meanwhile everybody else waits behind it."""
TRIES = 20
ASK_SECONDS = 0.2
"""Between two questions whether another process still migrates."""
PAUSE_SECONDS = 2.0
"""Between two tries; what waited goes on meanwhile."""
_LOCK_NOT_AVAILABLE = "55P03"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(url: str) -> None:
    """Upgrade our schema and the queue engine's tables to head; does nothing at head.

    Safe to call from many processes at once, and beside a running system: where a table is locked
    it gives way and tries again. A database of a newer version is left as it is. Raises `AppError`:
    `unknown_revision` where the database has a revision that this version of the code does not
    have, `locked` where a table stays locked.
    """
    for left in range(TRIES - 1, -1, -1):
        try:
            await _migrate(url)
            return
        except (DBAPIError, asyncpg.PostgresError) as error:
            if sqlstate_of(error) != _LOCK_NOT_AVAILABLE:
                raise
            if left == 0:
                raise AppError(
                    "locked",
                    "The schema was not changed: a transaction holds the lock of a table for too long."
                    " Find it in pg_stat_activity, end it, and migrate again.",
                    status=503,
                ) from error
            log.warning("a table is locked; the migration gives way and tries again", tries_left=left)
            await asyncio.sleep(PAUSE_SECONDS)


async def _migrate(url: str) -> None:
    engine = make_engine(url, pool_size=2, name="tenfold migrate", limits=MIGRATION)
    try:
        async with engine.connect() as guard:
            await _lock(guard)
            try:
                async with engine.connect() as connection:
                    if await is_newer(connection):
                        return
                    await _check_known(connection)
                    await connection.execute(
                        text("SELECT set_config('lock_timeout', :value, false)"),
                        {"value": f"{LOCK_MILLISECONDS}ms"},
                    )
                    await connection.commit()
                    await connection.run_sync(_upgrade)
                    await connection.commit()
                await due.install(_with_lock_timeout(url))
            finally:
                await guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
    finally:
        await engine.dispose()


async def _lock(guard: AsyncConnection) -> None:
    """Wait until no other process migrates.

    By asking again: a statement that waits would keep an index from being built beside it
    (`app.base.indexes`), and the other process is waited for until that is built.
    """
    while not await guard.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK}):
        await guard.rollback()
        await asyncio.sleep(ASK_SECONDS)
    await guard.rollback()


async def _check_known(connection: AsyncConnection) -> None:
    present = await current(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if present is not None and present not in known:
        raise AppError(
            "unknown_revision",
            f"The database has the schema revision {present!r}, which this version cannot upgrade; "
            "use the version that made it, or an empty database.",
            status=500,
        )


def head() -> str | None:
    """The newest revision that the code has."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def current(connection: AsyncConnection) -> str | None:
    """The revision of the database; None for an empty one."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def is_newer(connection: AsyncConnection) -> bool:
    """Whether a newer version has migrated the database: its schema serves this version too.

    A migration adds first and removes in a later version, so the previous code runs on it.
    """
    present, ours = await current(connection), head()
    return bool(present and ours and present.isdecimal() and ours.isdecimal() and int(present) > int(ours))


def _with_lock_timeout(url: str) -> str:
    """The address, with a limit for the engine's own changes of its tables."""
    given = make_url(url).update_query_dict({"lock_timeout": str(LOCK_MILLISECONDS)})
    return given.render_as_string(hide_password=False)


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the database is at head or newer, and the queue engine's tables exist."""
    async with engine.connect() as connection:
        at_head = await current(connection) == head() or await is_newer(connection)
        return at_head and await due.is_installed(connection)
