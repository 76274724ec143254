"""One embedded PostgreSQL for the run, one migrated template database, a copy of it for each
test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

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
    ):
        await connection.execute(f"ALTER SYSTEM SET {setting}")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
    await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    await connection.close()
    await migrate(on(url, TEMPLATE))


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
    """Copies of the template for one worker.

    While a test runs, the server makes the next test's database and drops the last one's.
    """

    def __init__(self, maker: asyncpg.Connection, dropper: asyncpg.Connection) -> None:
        self._maker = maker
        self._dropper = dropper
        self._numbers = count()
        self._next = asyncio.create_task(self._make())
        self._drop: asyncio.Task[None] | None = None

    async def _make(self) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        await self._maker.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        return name

    async def _remove(self, name: str) -> None:
        await self._dropper.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def take(self) -> str:
        """A database that nobody has used."""
        name = await self._next
        self._next = asyncio.create_task(self._make())
        await asyncio.sleep(0)  # sends the statement; the loop then stands still until the next call
        return name

    async def give_back(self, name: str) -> None:
        """Have a database dropped."""
        if self._drop is not None:
            await self._drop
        self._drop = asyncio.create_task(self._remove(name))
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Wait for what the server was asked for."""
        await self._next
        if self._drop is not None:
            await self._drop


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(server_url: str) -> AsyncIterator[Databases]:
    """This worker's databases."""
    maker, dropper = await asyncpg.connect(server_url), await asyncpg.connect(server_url)
    made = Databases(maker, dropper)
    yield made
    await made.close()
    await maker.close()
    await dropper.close()


@pytest_asyncio.fixture(loop_scope="session")
async def database_url(server_url: str, databases: Databases) -> AsyncIterator[str]:
    """A database of the test's own, migrated and empty."""
    name = await databases.take()
    yield on(server_url, name)
    await databases.give_back(name)


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
    def connect(dialect: object, record: object, arguments: object, named: dict[str, object]) -> None:
        named["database"] = target.name

    return engine, target, watch


@pytest.fixture
async def engine(
    worker_engine: tuple[AsyncEngine, Target, Watch], database_url: str
) -> AsyncIterator[AsyncEngine]:
    """An engine over the test's own database; its connections and listeners end with the test.

    A test fails whose statements could not run where the tables are distributed by brand.
    """
    shared, target, watch = worker_engine
    target.name = make_url(database_url).database or ""
    yield shared.execution_options()
    await shared.dispose()
    found = watch.take()
    assert not found, "\n".join(found)
