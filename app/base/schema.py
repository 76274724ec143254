"""The schema's revision: upgrade a database to head, and check whether it is at head."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.base import due
from app.base.db import make_engine
from app.base.errors import AppError
from app.base.paths import ROOT

_MIGRATION_LOCK = 0x7E4F01D
"""Advisory lock: several processes that start at once migrate one after the other."""


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

    Safe to call from many processes at once. Raises `AppError` (`unknown_revision`) where the
    database has a revision that this version of the code does not have.
    """
    engine = make_engine(url, pool_size=2, name="tenfold migrate")
    try:
        async with engine.connect() as guard:
            await guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                async with engine.connect() as connection:
                    await _check_known(connection)
                    await connection.run_sync(_upgrade)
                    await connection.commit()
                await due.install(url)
            finally:
                await guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
    finally:
        await engine.dispose()


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


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the database is at head and the queue engine's tables exist."""
    async with engine.connect() as connection:
        return await current(connection) == head() and await due.is_installed(connection)
