"""Shops of a brand that sell by a platform, and a context that may call its fake."""

import dataclasses
from typing import Any

from app.base.actor import cli_actor
from app.base.context import AppContext
from app.brands.add import add_shop
from app.brands.models import Brand, Shop
from app.brands.rules import Platform


async def make_shop(
    context: AppContext, brand: Brand, platform: Platform, slug: str = "fern", **values: Any
) -> Shop:
    """A shop of the brand that is not connected; `values` are further ones of `add_shop`."""
    async with context.sessions.begin() as session:
        shop, _ = await add_shop(
            session,
            context.tokens,
            brand,
            slug,
            name=slug.capitalize(),
            actor=cli_actor(brand.id),
            platform=platform,
            **{"time_zone": "Europe/Berlin", **values},
        )
    return shop


def calling_fakes(context: AppContext, **settings: object) -> AppContext:
    """The context of a process that may call platforms on this machine."""
    changed = context.settings.model_copy(update={"local_platforms": True, **settings})
    return dataclasses.replace(context, settings=changed)
