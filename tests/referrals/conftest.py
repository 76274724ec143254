"""A shop that is connected to the fake of Shopify."""

from collections.abc import AsyncIterator

import pytest

from app.base.context import AppContext
from app.brands.models import Brand
from tests.support.connected_shop import ConnectedShop, connected_shop


@pytest.fixture
async def fern(context: AppContext, brand: Brand) -> AsyncIterator[ConnectedShop]:
    """A shop of the brand without codes."""
    async with connected_shop(context, brand) as fern:
        yield fern
