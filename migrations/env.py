"""Runs migrations on the connection that `app.base.schema` passes, or on the settings' database.

The alembic command reads `TENFOLD_DATABASE_URL`.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

import app.models  # noqa: F401  # adds every table to the metadata
from app.base.config import load_settings
from app.base.db import Base, async_url

NOT_OURS = ("pgqueuer",)


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave the queue engine's tables to the queue engine."""
    return not (kind == "table" and name is not None and name.startswith(NOT_OURS))


def run(connection: Connection) -> None:
    """Upgrade with one transaction per migration, which one that builds an index ends itself."""
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=ours,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_settings() -> None:
    """For the alembic command itself."""
    settings = load_settings()
    if settings.database_url is None:
        raise SystemExit("Set TENFOLD_DATABASE_URL, or use `tenfold migrate` for the embedded database.")
    engine = create_async_engine(async_url(settings.database_url.get_secret_value()), poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    asyncio.run(run_on_settings())
