"""How many orders a second are synchronised from the fake of Shopify, and how much memory it takes.

The product's own steps over an embedded PostgreSQL in a directory of its own, in this process. The
fake runs in a process of its own and renders its pages before the clock starts: executing GraphQL
in Python takes longer than all that is measured here. Points cost nothing.

Run: uv run python benchmarks/sync.py [--orders 100000]
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psutil
from aiohttp import web
from processor import database_seconds

import app.models  # noqa: F401  # registers every table
from app.base import clock
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.embedded import start_embedded, stop_embedded
from app.base.memory import tune_garbage_collector
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop
from app.brands.models import Shop
from app.brands.rules import Platform
from app.demo.fakes.shopify.execute import run_document
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeBucket, FakeShop
from app.ingest.sync import SyncProgress, sync_now
from app.ingest.sync_rows import claim_now
from app.platforms.connection_types import Connection
from app.platforms.connections import save_connection
from app.platforms.shopify.order_documents import LIST_ORDERS
from app.platforms.shopify.orders import _OF_MANY, PAGE

KEY = "a key for benchmarks alone, of no worth to anyone"
TARGET = 1_000
"""Orders a second."""
MOST_GROWTH = 40
"""MiB, after the first tenth."""
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
BLOCK = 500
"""Orders that the fake holds at a time while it renders its pages."""


def order(number: int) -> dict:
    at = (FIRST + timedelta(minutes=number)).isoformat()
    parcel = {
        "id": number,
        "status": "success",
        "created_at": at,
        "updated_at": at,
        "line_items": [{"quantity": 2}],
    }
    return {
        "id": number,
        "name": f"#{number}",
        "created_at": at,
        "processed_at": at,
        "updated_at": at,
        "currency": "EUR",
        "financial_status": "paid",
        "fulfillment_status": "fulfilled",
        "total_price": "80.00",
        "subtotal_price": "80.00",
        "email": f"person{number}@example.com",
        "customer": {
            "id": number,
            "email": f"person{number}@example.com",
            "first_name": "Ann",
            "last_name": "Ex",
        },
        "billing_address": {"first_name": "Ann", "last_name": "Ex", "country_code": "NL"},
        "line_items": [{"id": 1, "title": "A mug", "sku": "MUG", "quantity": 2, "price": "40.00"}],
        "fulfillments": [parcel],
    }


def render(orders: int) -> dict[str | None, bytes]:
    """All pages, by the cursor that asks for each."""
    pages: dict[str | None, bytes] = {}
    cursor = None
    for start in range(1, orders + 1, BLOCK):
        last = min(start + BLOCK, orders + 1)
        shop = FakeShop(bucket=free(), orders=[order(number) for number in range(start, last)])
        for page in range(start, last, PAGE):
            given = {"first": PAGE, "after": cursor, "query": "updated_at:>='2000'", **_OF_MANY}
            reply = run_document(shop, LIST_ORDERS.text, given)
            info = reply["data"]["orders"]["pageInfo"]
            info["hasNextPage"] = page + PAGE <= orders
            pages[cursor] = json.dumps(reply).encode()
            cursor = info["endCursor"]
    return pages


def free() -> FakeBucket:
    return FakeBucket(maximum=1e12, rate=1e12, available=1e12)


def serve(orders: int, pipe: Pipe) -> None:
    asyncio.run(_serve(orders, pipe))


async def _serve(orders: int, pipe: Pipe) -> None:
    pages = render(orders)

    async def prepared(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("graphql.json"):
            return None
        body = await request.json()
        return web.Response(body=pages[body["variables"]["after"]], content_type="application/json")

    shop = FakeShop("bench.myshopify.com")
    async with FakeShopify(shop) as fake:
        fake.intercept = prepared
        pipe.send((fake.account(shop), {"access_token": fake.add_custom_token(shop)}))
        await asyncio.Event().wait()


async def measure(url: str, home: Path, account: str, credentials: dict[str, str], orders: int) -> bool:
    await migrate(url)
    engine = make_engine(url, pool_size=4)
    settings = load_settings(_env_file=None, database_url=url, secret_key=KEY, local_platforms=True)
    context = AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)
    tune_garbage_collector()
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench")
        actor = cli_actor(brand.id)
        shop, _ = await add_shop(
            session, context.tokens, brand, "bench", name="Bench", actor=actor, platform=Platform.shopify
        )
        connection = Connection(account, credentials)
        await save_connection(
            session, context.tokens, brand.id, shop.id, connection, actor=actor, now=clock.now()
        )
    met = [await run(context, shop, home, name, orders) for name in ("new", "again")]
    await engine.dispose()
    return all(met)


async def run(context: AppContext, shop: Shop, home: Path, name: str, orders: int) -> bool:
    memory: list[float] = []

    def remember(progress: SyncProgress) -> None:
        if progress.counts.orders >= orders / 10:
            memory.append(psutil.Process().memory_info().rss / 2**20)

    async with context.sessions.begin() as session:
        claimed, _ = await claim_now(session, shop, since=FIRST, history=True, now=clock.now())
    own, theirs, began = time.process_time(), database_seconds(home), time.perf_counter()
    done = await sync_now(context, claimed, now=clock.now, progress=remember)
    seconds = time.perf_counter() - began
    used = (time.process_time() - own) / orders * 1000, (database_seconds(home) - theirs) / orders * 1000
    growth, counts = memory[-1] - memory[0], done.counts
    # On a busy machine only the processor's time is comparable.
    print(
        f"{name:6} {orders / seconds:7,.0f} orders/s; processor ms an order: ours {used[0]:.3f}, database"
        f" {used[1]:.3f}, which allows {1000 / sum(used):,.0f} orders/s; memory {memory[0]:.0f} MiB, then"
        f" {growth:+.0f}; {counts}"
    )
    is_right = counts.orders == orders and counts.failed == 0
    return is_right and 1000 / sum(used) >= TARGET and growth <= MOST_GROWTH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    fake = multiprocessing.get_context("spawn").Process(
        target=serve, args=(options.orders, theirs), daemon=True
    )
    fake.start()
    account, credentials = ours.recv()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        url = start_embedded(home)
        try:
            met = asyncio.run(measure(url, home, account, credentials, options.orders))
        finally:
            stop_embedded(home)
            fake.kill()
    print(f"target {TARGET:,} orders/s, memory at most {MOST_GROWTH} MiB more: {'met' if met else 'missed'}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
