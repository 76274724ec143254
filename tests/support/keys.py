"""Programs that call the API with a key."""

import httpx2

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.models import Brand
from tests.support.apps import api_app


async def api_of(context: AppContext, brand: Brand, *scopes: Scope) -> httpx2.AsyncClient:
    """A client of the API with a new key of these scopes."""
    async with context.sessions.begin() as session:
        key = await add_key(session, brand.id, list(scopes), actor=cli_actor(brand.id))
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=api_app(context)),
        base_url="http://test/api/v1",
        headers={"Authorization": f"Bearer {key}"},
    )
