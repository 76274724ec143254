"""The schema's version: bring a database to head, and say whether it is there."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.base import due
from app.base.db import make_engine
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
    """Bring our schema and the queue engine's tables to head; does nothing where they are. Safe to call from many processes."""
    engine = make_engine(url, pool_size=2, name="tenfold migrate")
    try:
        async with engine.connect() as guard:
            await guard.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                async with engine.connect() as connection:
                    await connection.run_sync(_upgrade)
                    await connection.commit()
                await due.install(url)
            finally:
                await guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})
    finally:
        await engine.dispose()


def head() -> str | None:
    """The newest version that the code knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def current(connection: AsyncConnection) -> str | None:
    """The version that the database is at; None for an empty one."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def is_current(engine: AsyncEngine) -> bool:
    """Whether the database is at head and the queue engine's tables are there."""
    async with engine.connect() as connection:
        return await current(connection) == head() and await due.is_installed(connection)
