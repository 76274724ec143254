"""What most tests of screens start from."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx2
import pytest

from app.admin.rules import Scope
from app.base.context import AppContext
from app.brands.models import Brand
from tests.support.dashboard import browser_of, dashboard_app
from tests.support.keys import api_of


@pytest.fixture
async def client(context: AppContext) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser on another machine, before all screens; nobody has signed in."""
    async with browser_of(dashboard_app(context)) as client:
        yield client


@pytest.fixture
async def open_client(context: AppContext) -> AsyncIterator[Callable[..., Awaitable[httpx2.AsyncClient]]]:
    """Makes clients of the API, each with a new key of the given brand and scopes."""
    async with AsyncExitStack() as opened:

        async def make(brand: Brand, *scopes: Scope) -> httpx2.AsyncClient:
            return await opened.enter_async_context(await api_of(context, brand, *scopes))

        yield make
