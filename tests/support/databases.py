"""One embedded PostgreSQL for the run, one migrated template database, a copy of it for each
worker, which is emptied after each test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app.base.db import Limits, make_engine
from app.base.embedded import start_embedded
from app.base.schema import migrate
from tests.support.watch import Watch

RUN = "TENFOLD_TEST_RUN"
TEMPLATE = "template_tenfold"
MEMORY = Path("/dev/shm")
POOL = "tests' pool"
"""What connections of the worker's engine call themselves."""
_NUMBERS = count()
EMPTY_AGAIN = Path(__file__).with_name("empty_again.sql")
ROOM = 3 * 2**30
"""Bytes that must be free in memory before the run uses it."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's directory; its workers inherit the path.

    It is in memory where there is room: most of a small test's time is the copy of its database.
    """
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = tempfile.mkdtemp(prefix="tenfold-tests-", dir=_memory())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's directory; the last worker has stopped the server."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[RUN], ignore_errors=True)


def _memory() -> Path | None:
    """The file system in memory, if it has room and programs may be started from it."""
    if not os.access(MEMORY, os.W_OK):
        return None
    state = os.statvfs(MEMORY)
    fits = state.f_bavail * state.f_frsize >= ROOM
    return MEMORY if fits and not state.f_flag & getattr(os, "ST_NOEXEC", 0) else None


def on(url: str, database: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    # The data of a test are dropped anyway, so nothing waits for the disk.
    for setting in (
        "fsync = off",
        "synchronous_commit = off",
        "full_page_writes = off",
        "max_connections = 200",
        "max_wal_size = '256MB'",
        "autovacuum = off",
    ):
        await connection.execute(f"ALTER SYSTEM SET {setting}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    await connection.close()
    await migrate(on(url, TEMPLATE))
    template = await asyncpg.connect(on(url, TEMPLATE))
    await template.execute(EMPTY_AGAIN.read_text())
    await template.close()


@pytest.fixture(scope="session")
def server_url() -> str:
    """The embedded server: started by the first worker, shared by all, stopped by the last one."""
    shared = Path(os.environ[RUN])
    with FileLock(shared / "server.lock"):
        url = start_embedded(shared / "home")
        if not (shared / "template.ready").exists():
            asyncio.run(_make_template(url))
            (shared / "template.ready").touch()
    return url


@pytest.fixture
def tmp_path() -> Path:
    """A directory below the run's, with a short path."""
    return Path(tempfile.mkdtemp(dir=os.environ[RUN]))


class Databases:
    """The database of one worker: a copy of the template, which is emptied after each test.

    To empty it is many times cheaper than to copy the template, and the engine's connections stay
    open with the statements that they know. Where it could not be made the same again
    (`empty_again.sql` says when) it is dropped, and the next test gets a new copy.
    """

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._name = ""
        self._inside: asyncpg.Connection | None = None

    async def take(self) -> str:
        """The name of a database that is as the template."""
        if not self._name:
            self._name = f"test_{os.getpid()}_{next(_NUMBERS)}"
            await self._on_server(f"CREATE DATABASE {self._name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        await self._enter()
        return self._name

    async def give_back(self) -> str | None:
        """Empty the database. Where that cannot be done, drop it and return why."""
        try:
            inside = await self._enter()
            why = await inside.fetchval("SELECT emptying.empty_again($1)", POOL)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            why = repr(error)
        if why is not None:
            await self.drop()
        return why

    async def drop(self) -> None:
        """Drop the database, whoever is connected to it."""
        if self._inside is not None:
            self._inside.terminate()
            self._inside = None
        if self._name:
            await self._on_server(f"DROP DATABASE {self._name} WITH (FORCE)")
            self._name = ""

    async def leave(self) -> None:
        """Close this object's own connection, so that a test can copy the database."""
        if self._inside is not None:
            await self._inside.close()
            self._inside = None

    async def _enter(self) -> asyncpg.Connection:
        if self._inside is None:
            self._inside = await asyncpg.connect(on(self._server_url, self._name))
        return self._inside

    async def _on_server(self, statement: str) -> None:
        connection = await asyncpg.connect(self._server_url)
        await connection.execute(statement)
        await connection.close()


@pytest_asyncio.fixture(scope="session")
async def databases(server_url: str) -> AsyncIterator[Databases]:
    """This worker's database."""
    made = Databases(server_url)
    yield made
    await made.drop()


@pytest.fixture
async def database_url(server_url: str, databases: Databases) -> AsyncIterator[str]:
    """A database of the test's own, migrated and empty."""
    yield on(server_url, await databases.take())
    await databases.give_back()


@dataclass
class Target:
    """The database that the worker's engine connects to now."""

    name: str = ""


@pytest.fixture(scope="session")
def worker_engine(server_url: str) -> tuple[AsyncEngine, Target, Watch]:
    """One engine for all tests of a worker, so that each statement is compiled once."""
    # A crowded machine may be slow; what waits too long in production has tests of its own.
    limits = Limits(lock=20, statement=60, idle=60, pool=60.0)
    engine, target = make_engine(server_url, pool_size=16, limits=limits), Target()
    watch = Watch(engine)

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(dialect: object, record: object, arguments: object, named: dict[str, Any]) -> None:
        named["database"] = target.name
        named["server_settings"] = {**named["server_settings"], "application_name": POOL}
        named["prepared_statement_cache_size"] = 1_000

    return engine, target, watch


@pytest.fixture
async def engine(
    worker_engine: tuple[AsyncEngine, Target, Watch], database_url: str
) -> AsyncIterator[AsyncEngine]:
    """An engine over the test's own database; its listeners end with the test.

    Its connections stay open for the next test, with the statements that they know. A test fails
    whose statements could not run where the tables are distributed by brand.
    """
    shared, target, watch = worker_engine
    name = make_url(database_url).database or ""
    if target.name != name:
        await shared.dispose()
        target.name = name
    yield shared.execution_options()
    if shared.pool.checkedout():
        await shared.dispose()
    found = watch.take()
    assert not found, "\n".join(found)
