"""How many lines a second an import of orders reads, and how much memory it takes.

The product's own step over an embedded PostgreSQL in a directory of its own, in this process: a
file of our own format with one order a line, and Shopify's export with one and two rows an order,
both as `--history`. A large file is read by a process of its own, whose processor time is shown
apart. Memory is this process's, after the first tenth and at the end.

Run: uv run python benchmarks/import_orders.py [--orders 100000]
"""

import argparse
import asyncio
import csv
import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
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
from app.ingest.import_orders import Progress, import_orders
from app.ingest.order_file import FileRecord, open_order_file

KEY = "a key for benchmarks alone, of no worth to anyone"
TARGET = 3_000
"""Lines a second."""
MOST_GROWTH = 30
"""MiB, after the first tenth."""
FIRST = datetime(2024, 1, 1, tzinfo=UTC)


class Refusals:
    """Counts what was refused: nothing may be."""

    count = 0

    def begin(self, *, resumed: bool) -> None:
        """Nothing to do."""

    def add(self, record: FileRecord) -> None:
        self.count += 1
        print(record)


def email(number: int) -> str:
    return f"person{number if number % 4 else number % 1000}@example.com"


def write_lines(path: Path, orders: int) -> int:
    with path.open("w") as file:
        for number in range(orders):
            line = {
                "id": f"n{number}",
                "number": f"#{number}",
                "placed_at": (FIRST + timedelta(minutes=number)).isoformat(),
                "currency": "EUR",
                "subtotal": "80.00",
                "total": "84.90",
                "shipping_total": "4.90",
                "customer": {
                    "email": email(number),
                    "first_name": "Ann",
                    "country": "NL",
                    "email_consent": True,
                },
                "items": [{"sku": "MUG", "title": "A mug", "quantity": 2, "unit_price": "40.00"}],
            }
            file.write(json.dumps(line) + "\n")
    return orders


def write_shopify(path: Path, orders: int) -> int:
    rows = 0
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "Name",
                "Email",
                "Financial Status",
                "Paid at",
                "Fulfillment Status",
                "Fulfilled at",
                "Accepts Marketing",
                "Currency",
                "Subtotal",
                "Shipping",
                "Total",
                "Discount Code",
                "Discount Amount",
                "Created at",
                "Lineitem quantity",
                "Lineitem name",
                "Lineitem price",
                "Lineitem sku",
                "Billing Name",
                "Billing Country",
                "Shipping Name",
                "Shipping Country",
                "Refunded Amount",
                "Id",
                "Tags",
                "Source",
            ]
        )
        for number in range(orders):
            at = (FIRST + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S +0000")
            first = [
                f"#{number}",
                email(number),
                "paid",
                at,
                "fulfilled",
                at,
                "yes",
                "EUR",
                "80.00",
                "4.90",
                "84.90",
            ]
            rest = [
                "Ann Example",
                "NL",
                "Ann Example",
                "NL",
                "0.00",
                6_000_000_000_000 + number,
                "vip",
                "web",
            ]
            writer.writerow([*first, "", "0.00", at, 1, "A mug", "40.00", "MUG", *rest])
            rows += 1
            if number % 2:
                writer.writerow(
                    [f"#{number}", email(number), *[""] * 11, at, 1, "A cup", "40.00", "CUP", *[""] * 8]
                )
                rows += 1
    return rows


async def measure(url: str, home: Path, folder: Path, orders: int) -> bool:
    await migrate(url)
    engine = make_engine(url, pool_size=4)
    settings = load_settings(_env_file=None, database_url=url, secret_key=KEY)
    context = AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)
    tune_garbage_collector()
    met = True
    for name, write in (("tenfold", write_lines), ("shopify", write_shopify)):
        path = folder / name
        rows = write(path, orders)
        async with context.sessions.begin() as session:
            brand = await add_brand(session, name, name=name)
            shop, _ = await add_shop(
                session, context.tokens, brand, name, name=name, actor=cli_actor(brand.id)
            )
        met &= await run(context, shop, path, home, f"{name}, new", rows)
        met &= await run(context, shop, path, home, f"{name}, again", rows)
    await engine.dispose()
    return met


async def run(context: AppContext, shop: Shop, path: Path, home: Path, name: str, rows: int) -> bool:
    memory: list[float] = []
    refusals = Refusals()

    def remember(progress: Progress) -> None:
        if progress.share >= 0.1:
            memory.append(psutil.Process().memory_info().rss / 2**20)

    own, theirs, reader = time.process_time(), database_seconds(home), ended_seconds()
    began = time.perf_counter()
    done = await import_orders(
        context,
        shop,
        open_order_file(path),
        history=True,
        actor=cli_actor(shop.brand_id),
        now=clock.now(),
        refusals=refusals,
        progress=remember,
    )
    seconds = time.perf_counter() - began
    used = time.process_time() - own, ended_seconds() - reader, database_seconds(home) - theirs
    growth = memory[-1] - memory[0]
    shares = ", ".join(
        f"{each} {share / rows * 1000:.3f}"
        for each, share in zip(("import", "reader", "database"), used, strict=True)
    )
    # On a busy machine only the processors' time is comparable. The import and the database take
    # turns, the reader works beside them.
    possible = rows / max(used[0] + used[2], used[1], sum(used) / 2)
    print(
        f"{name:15} {rows / seconds:7,.0f} lines/s, {done.records / seconds:7,.0f} orders/s;"
        f" processor ms a line: {shares}, which allows two processors {possible:,.0f} lines/s"
        f"; memory {memory[0]:.0f} MiB, then {growth:+.0f}"
    )
    return rows / seconds >= TARGET and growth <= MOST_GROWTH and refusals.count == 0


def ended_seconds() -> float:
    """Seconds of processor time of the processes that this one started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000, help="of each file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        url = start_embedded(home)
        try:
            met = asyncio.run(measure(url, home, Path(name), options.orders))
        finally:
            stop_embedded(home)
    print(f"target {TARGET:,} lines/s, memory at most {MOST_GROWTH} MiB more: {'met' if met else 'missed'}")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
