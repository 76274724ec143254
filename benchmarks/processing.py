"""How many paid orders a second one worker processes to customer, order, survey and redemption.

The product's own sweep over an embedded PostgreSQL in a directory of its own, in this process; one
order in twenty carries a code of one of fifty referrers. Batches of the product's size against
batches of one, side by side in one run.

Run: uv run python benchmarks/processing.py [--orders 2000]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from itertools import count
from pathlib import Path

from processor import database_seconds
from sqlalchemy import event, func, select, text

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
from app.brands.models import Brand, Shop
from app.customers.identify import identify
from app.customers.person import Person
from app.ingest import process
from app.ingest.models import Delivery
from app.ingest.rules import DeliveryStatus
from app.ingest.store import NewDelivery, store_deliveries
from app.referrals.issue import issue_offers
from app.referrals.models import Code
from app.referrals.new_codes import NewReferrer

KEY = "a key for benchmarks alone, of no worth to anyone"
TARGET = 1000
"""Orders a second."""
ROUNDS = 5
REFERRERS = 50
ONE_IN = 20
"""Orders that carry a code."""


def order(number: int, code: str | None) -> bytes:
    """A delivery of about 1 KB."""
    customer = {
        "id": f"c{number}",
        "email": f"person{number}@example.com",
        "phone": f"+3161{number % 10**7:07}",
        "first_name": "Ann",
        "last_name": "Example",
        "country": "NL",
        "email_consent": True,
    }
    data = {
        "id": str(number),
        "number": f"#{number}",
        "placed_at": clock.now().isoformat(),
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "84.90",
        "discount_codes": [code] if code else [],
        "customer": customer,
        "items": [
            {
                "sku": f"SKU-{place}",
                "title": "A mug with a long enough name",
                "quantity": 1,
                "unit_price": "20.00",
            }
            for place in range(4)
        ],
        "shipping_address": {
            "line1": f"Main Street {number}",
            "city": "Utrecht",
            "postal_code": "3511",
            "country": "NL",
        },
    }
    return json.dumps({"type": "order.paid", "timestamp": clock.now().isoformat(), "data": data}).encode()


async def prepare(context: AppContext) -> tuple[Brand, Shop, list[str]]:
    """A brand with a shop, and some referrers' codes."""
    now = clock.now()
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "shop", name="Shop")
        shop, _ = await add_shop(
            session, context.tokens, brand, "shop", name="Shop", actor=cli_actor(brand.id)
        )
        people = [
            Person(email=f"referrer{number}@example.com", first_name="Rea") for number in range(REFERRERS)
        ]
        ids = await identify(session, brand, shop, people, now=now)
        promoters = [NewReferrer(customer, shop.id, None) for customer in ids if customer]
        await issue_offers(session, context.tokens, brand, promoters, now=now - timedelta(days=1))
        codes = list(await session.scalars(select(Code.code).where(Code.brand_id == brand.id)))
    return brand, shop, codes


async def fill(context: AppContext, shop: Shop, codes: list[str], numbers: range) -> None:
    """Store paid orders as deliveries that wait."""
    for start in range(numbers.start, numbers.stop, 1000):
        incoming = []
        for number in range(start, min(start + 1000, numbers.stop)):
            code = codes[number // ONE_IN % len(codes)] if number % ONE_IN == 0 else None
            incoming.append(
                NewDelivery(
                    shop.brand_id,
                    shop.id,
                    "checkout",
                    "order.paid",
                    f"m{number}",
                    order(number, code),
                    received_at=clock.now(),
                )
            )
        async with context.sessions.begin() as session:
            await store_deliveries(session, incoming)
    async with context.sessions.begin() as session:
        # As autovacuum does: without it the plans are those of an empty database.
        await session.execute(text("ANALYZE"))


async def drain(context: AppContext, brand: Brand, limit: int, queries: "count[int]") -> tuple[float, float]:
    """Process until nothing waits; returns the seconds, and the queries per batch."""
    before, batches, began = next(queries), 0, time.perf_counter()
    while await process.process_waiting(context, brand.id, now=clock.now(), limit=limit):
        batches += 1
    return time.perf_counter() - began, (next(queries) - before - 1) / max(1, batches)


async def measure(url: str, home: Path, orders: int) -> bool:
    await migrate(url)
    engine = make_engine(url, pool_size=4)
    context = AppContext(
        load_settings(_env_file=None, database_url=url, secret_key=KEY),
        engine,
        make_sessions(engine),
        Tokens(KEY),
        url,
    )
    queries = count()
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: next(queries))
    brand, shop, codes = await prepare(context)
    single = max(20, orders // 100)
    # The first batches warm up connections, prepared statements and the planner.
    tune_garbage_collector()  # as a worker does at its start
    await fill(context, shop, codes, range(1, 501))
    await drain(context, brand, process.BATCH, queries)
    rates = {}
    first = 1000
    for name, limit, amount in (("batch", process.BATCH, orders), ("single", 1, single)):
        found = []
        for _ in range(ROUNDS):
            await fill(context, shop, codes, range(first, first + amount))
            first += amount
            before, database = time.process_time(), database_seconds(home)
            seconds, a_batch = await drain(context, brand, limit, queries)
            used = time.process_time() - before, database_seconds(home) - database
            found.append((amount / seconds, used[0] / amount * 1000, used[1] / amount * 1000))
        rates[name], ours, theirs = (statistics.median(each) for each in zip(*found, strict=True))
        # On a busy machine only the processor's time is comparable; worker and database take turns.
        print(
            f"batches of {limit:4}: {rates[name]:8,.0f} orders/s   "
            f"({', '.join(f'{one[0]:,.0f}' for one in found)})   "
            f"{a_batch:5.1f} queries a batch   processor ms an order: worker {ours:.2f}, database {theirs:.2f}"
        )
    print(
        f"batch / single = {rates['batch'] / rates['single']:.1f}   "
        f"target {TARGET:,} orders/s: {'met' if rates['batch'] >= TARGET else 'missed'}"
    )
    async with context.sessions() as session:
        left = await session.scalar(
            select(func.count()).select_from(Delivery).where(Delivery.status != DeliveryStatus.processed)
        )
    await engine.dispose()
    if left:
        print(f"{left} deliveries were not processed")
    return rates["batch"] >= TARGET and not left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=2000, help="of each of five rounds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        url = start_embedded(home)
        try:
            met = asyncio.run(measure(url, home, options.orders))
        finally:
            stop_embedded(home)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
