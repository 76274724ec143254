"""One embedded PostgreSQL for the run, one migrated template database, a copy of it for each
test."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from filelock import FileLock
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

import app.models  # noqa: F401  # foreign keys name tables of packages that a test may not import
from app.base.config import Settings, load_settings
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.embedded import start_embedded
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from tests.support.constants import SECRET, SECRET_KEY

pytest_plugins = ["tests.support.browser", "tests.support.languages"]

RUN = "TENFOLD_TEST_RUN"
TEMPLATE = "template_tenfold"


def on(url: str, database: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's directory; its workers inherit the path."""
    if not hasattr(config, "workerinput"):
        os.environ[RUN] = tempfile.mkdtemp(prefix="tenfold-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's directory; the last worker has stopped the server."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[RUN], ignore_errors=True)


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    # The data of a test are dropped anyway, so nothing waits for the disk.
    for setting in (
        "fsync = off",
        "synchronous_commit = off",
        "full_page_writes = off",
        "max_connections = 200",
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


@pytest.fixture
async def database_url(server_url: str) -> AsyncIterator[str]:
    """A database of the test's own, migrated and empty."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    try:
        yield on(server_url, name)
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The settings of a test: nothing comes from the environment or a `.env` file."""
    return load_settings(_env_file=None, database_url=database_url, secret_key=SECRET_KEY, home=tmp_path)


@pytest.fixture
async def context(settings: Settings, database_url: str) -> AsyncIterator[AppContext]:
    """The process-wide context, over the test's own database."""
    engine = make_engine(database_url, pool_size=8)
    yield AppContext(settings, engine, make_sessions(engine), Tokens(SECRET_KEY), database_url)
    await engine.dispose()


@pytest.fixture
async def session(context: AppContext) -> AsyncIterator[AsyncSession]:
    """A session whose work a test may commit or leave."""
    async with context.sessions() as session:
        yield session


@pytest.fixture
async def brand(context: AppContext) -> Brand:
    """A brand `acme` with the default programme."""
    async with context.sessions.begin() as session:
        return await add_brand(
            session, "acme", name="Acme Goods", time_zone="Europe/Berlin", postal_address="1 Main St, Berlin"
        )


@pytest.fixture
async def shop(context: AppContext, brand: Brand) -> Shop:
    """Its shop `acme`, in euros, with the webhook secret `SECRET`."""
    async with context.sessions.begin() as session:
        shop, _ = await add_shop(
            session,
            context.tokens,
            brand,
            "acme",
            name="Acme",
            webhook_secret=SECRET,
            time_zone="Europe/Berlin",
            url="https://acme.example",
        )
        return shop
