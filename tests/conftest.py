"""What most tests start from: settings, a context over a database of the test's own, a brand and a
shop."""

# ruff: noqa: E402  # two settings of this process come before what it imports

import asyncio
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

# The workers of a run and the commands that tests start compile everything anew where this is set,
# which takes each of them seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# What is imported and collected stays, so there is nothing in it to look for garbage in.
gc.disable()

import pytest
import pytest_asyncio
import structlog
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from structlog.stdlib import ProcessorFormatter

import app.models  # noqa: F401  # foreign keys name tables of packages that a test may not import
from app.base.actor import cli_actor
from app.base.config import Settings, load_settings
from app.base.context import AppContext
from app.base.db import make_sessions
from app.base.memory import tune_garbage_collector
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from tests.support.constants import SECRET, SECRET_KEY
from tests.support.factories.rows import Rows

LOOP = pytest.StashKey[asyncio.AbstractEventLoop]()
pytest_plugins = [
    "tests.support.browser",
    "tests.support.databases",
    "tests.support.languages",
    "tests.support.wheel",
]

# By default structlog formats every value of every frame of a traceback, which takes seconds;
# processes of the product format the traceback alone.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest of the slow tests first, so that none of them goes on alone at the end."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> int:
    """About how long a test takes: what its mark says, ten seconds where it says nothing."""
    return max((mark.kwargs.get("seconds", 10) for mark in item.iter_markers("slow")), default=0)


def pytest_collection_finish() -> None:
    """Look for garbage from now on as a process of the product does."""
    gc.enable()
    tune_garbage_collector()


@pytest_asyncio.fixture(scope="session", autouse=True)
async def _the_loop(request: pytest.FixtureRequest) -> None:
    """All tests of a worker share one loop, since open connections belong to theirs."""
    request.config.stash[LOOP] = asyncio.get_running_loop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """End the tasks that a test left running, as a loop of its own would."""
    try:
        yield
    finally:
        loop = item.config.stash.get(LOOP, None)
        if loop is not None and (left := asyncio.all_tasks(loop)):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


@pytest.fixture(autouse=True)
def logs_end_with_their_test() -> Iterator[None]:
    """Take away the log handler that a test's command sets up: its stream is closed afterwards."""
    root = logging.getLogger()
    level = root.level
    yield
    for handler in [each for each in root.handlers if isinstance(each.formatter, ProcessorFormatter)]:
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def default_settings(server_url: str) -> Settings:
    """Settings checked once a worker; nothing comes from the environment or a `.env` file."""
    return load_settings(_env_file=None, database_url=server_url, secret_key=SECRET_KEY)


@pytest.fixture
def settings(default_settings: Settings, database_url: str, tmp_path: Path) -> Settings:
    """The settings of a test, over its own database."""
    return default_settings.model_copy(update={"database_url": SecretStr(database_url), "home": tmp_path})


@pytest.fixture
async def context(settings: Settings, engine: AsyncEngine, database_url: str) -> AppContext:
    """The process-wide context, over the test's own database."""
    return AppContext(settings, engine, make_sessions(engine), Tokens(SECRET_KEY), database_url)


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
            actor=cli_actor(brand.id),
        )
        return shop


@pytest.fixture
def rows(session: AsyncSession, brand: Brand, shop: Shop) -> Rows:
    """Writes rows of the brand and its shop, without the steps that lead to them."""
    return Rows(session, brand, shop)
