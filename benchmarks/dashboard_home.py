"""A home with a large brand, its figures built: made once, and opened again where it is kept."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from large_brand import fill_large
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

import app.models  # noqa: F401  # all tables
from app.admin.rules import Role
from app.admin.staff import add_staff
from app.base import clock
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import COMMAND, WEB
from app.base.embedded import stop_embedded
from app.base.pools import command_pools, web_pools
from app.base.schema import migrate
from app.base.touched import touch
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand, Shop
from app.insight.models import Rollup
from app.insight.roll import roll
from app.orders.models import Order
from app.surveys.models import Response
from app.wiring import Parts, database_url_of, open_context, open_parts

SHOPS = ("first", "second", "third", "small", "new")
"""The three large ones, one with a few orders, and one without any."""
EMAIL = "admin@example.com"
"""Of the administrator of the brand."""


@dataclass(frozen=True, slots=True)
class Filled:
    """An open home of a brand that is filled and built."""

    parts: Parts
    brand: Brand

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A transaction that is committed."""
        async with self.parts.context.sessions.begin() as session:
            yield session


@asynccontextmanager
async def open_large(home: Path, orders: int) -> AsyncIterator[Filled]:
    """A brand of so many orders, as a web process has it; prints how long filling it took.

    The home is filled where it is new, and what is not built yet is built.
    """
    settings = load_settings(_env_file=None, home=home)
    await migrate(database_url_of(settings))
    try:
        async with open_context(settings, pools=command_pools(8), limits=COMMAND) as context:
            async with context.sessions() as session:
                brand = await session.scalar(select(Brand).where(Brand.slug == "large"))
            if brand is None:
                brand = await _add(context)
                await _fill(context, brand, orders)
            print(f"  built in {await rolled(context, brand):.1f} s", flush=True)
            await _note_some(context, brand)
            print(f"  a round in {await rolled(context, brand):.2f} s", flush=True)
        async with open_parts(settings, pools=web_pools(10), limits=WEB) as parts:
            yield Filled(parts, brand)
    finally:
        stop_embedded(home)


async def rolled(context: AppContext, brand: Brand) -> float:
    """Seconds of a round of the sweep."""
    began = time.perf_counter()
    now = clock.now()
    async with context.sessions.begin() as session:
        await session.execute(update(Rollup).values(due_at=now))
    count = 1
    while count:
        async with context.sessions.begin() as session:
            count = await roll(session, brand.id, now=now, rolled_from=0)
    async with context.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM ANALYZE daily_figures"))
    return time.perf_counter() - began


async def _note_some(context: AppContext, brand: Brand) -> None:
    """Notes of the latest answers and of the latest orders, as a busy hour leaves them."""
    async with context.sessions.begin() as session:
        for table, model in (("responses", Response), ("orders", Order)):
            latest = select(model.id).where(model.brand_id == brand.id).order_by(model.id.desc()).limit(250)
            await touch(session, brand.id, table, (await session.scalars(latest)).all())


async def _add(context: AppContext) -> Brand:
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "large", name="Large", time_zone="Europe/Berlin")
        brand.margin_percent = 40
        actor = cli_actor(brand.id)
        for slug in SHOPS:
            await add_shop(
                session,
                context.tokens,
                brand,
                slug,
                name=slug.capitalize(),
                platform="checkout",
                currency="EUR",
                actor=actor,
            )
        await add_staff(session, brand.id, EMAIL, Role.admin, actor=actor)
    return brand


async def _fill(context: AppContext, brand: Brand, orders: int) -> None:
    async with context.sessions.begin() as session:
        shops = await session.scalars(select(Shop).where(Shop.brand_id == brand.id).order_by(Shop.id))
        actor = cli_actor(brand.id)
        staff = [
            await add_staff(session, brand.id, email, role, actor=actor)
            for email, role in ((EMAIL, Role.admin), ("support@example.com", Role.support))
        ]
        found = shops.all()
    began = time.perf_counter()
    await fill_large(context, brand, found, orders, staff)
    print(f"  filled in {time.perf_counter() - began:.1f} s", flush=True)
