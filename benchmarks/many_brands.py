"""How long one worker takes for a cycle over many brands with a few due surveys each.

The product's sweeps of surveys and messages over an embedded PostgreSQL in a directory of its own,
in this process; the provider accepts everything at once. The same number of surveys of one brand
is sent beside it, in the same run: planning and sending a backlog.

    brands     1,000 brands with ten due surveys each: checked, queued, sent, confirmed
    backlog    one brand with as many
    idle       a search of all sweeps where nothing is due

Run: uv run python benchmarks/many_brands.py [--brands 1000] [--surveys 10] [--rounds 3]
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import uvloop
from processor import database_seconds
from sqlalchemy import Table, event, text

import app.models  # noqa: F401  # all tables, to copy their rows
from app.base import clock
from app.base.actor import cli_actor
from app.base.config import LogFormat, load_settings
from app.base.context import AppContext
from app.base.db import Base, make_engine, make_sessions
from app.base.due import sweep_once
from app.base.embedded import start_embedded, stop_embedded
from app.base.log import configure_logs
from app.base.memory import tune_garbage_collector
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop, change_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, Programme
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Result
from app.messaging.send_sweeps import sweep as messages
from app.surveys.sweep import sweep as surveys

KEY = "a key for benchmarks alone, of no worth to anyone"
TARGET_SECONDS = 15.0
"""Of a cycle over 1,000 brands with ten due surveys each."""
TARGET_RATE = 6_000
"""Surveys of a backlog that are checked, queued, sent and recorded a second."""
COPIED = ("terms", "programmes", "shops")


@dataclass
class Nowhere:
    """Accepts everything at once."""

    name: str = "nowhere"
    most: int = 1_000

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        return [Accepted(None)] * len(batch.recipients)

    async def close(self) -> None:
        pass


_FILL = text("""
    WITH new AS (
        SELECT brand_id, 'p' || brand_id || '-' || number || '@example.com' AS email, gen_random_uuid() AS customer_id,
            gen_random_uuid() AS order_id, number
        FROM unnest(CAST(:brand_ids AS integer[])) AS brand_id, generate_series(1, CAST(:surveys AS integer)) AS number
    ), people AS (
        INSERT INTO customers (brand_id, id, email, email_key, first_name, phone_agreed, country_own)
        SELECT brand_id, customer_id, email, email, 'Ana', false, false FROM new RETURNING 1
    ), bought AS (
        INSERT INTO orders (brand_id, id, shop_id, external_id, number, customer_id, currency, subtotal, total,
            discount_total, shipping_total, refunded_wholly, ordered_before, discount_codes, tags, items, relayed, test, history, trial,
            placed_at, paid_at, version_at, refunded, refunded_shipping, status)
        SELECT brand_id, order_id, :shop_id, order_id::text, number::text, customer_id, 'EUR', 8000, 8490, 0, 490, false, false,
            '[]', '[]', '[{"sku": "A", "title": "Linen shirt", "quantity": 1, "unit_price": 8000}]', false, false, false,
            false, CAST(:at AS timestamptz), CAST(:at AS timestamptz), CAST(:at AS timestamptz), 0, 0, 'paid'
        FROM new RETURNING 1
    )
    INSERT INTO surveys (brand_id, id, cause_kind, cause_id, order_id, shop_id, customer_id, programme_version, status,
        channel, triggered_at, due_at, reminders_sent, trial)
    SELECT brand_id, gen_random_uuid(), 'order', order_id, order_id, :shop_id, customer_id, :version, 'planned', 'email',
        CAST(:at AS timestamptz), CAST(:at AS timestamptz), 0, false
    FROM new
""")


async def prepare(context: AppContext) -> tuple[Brand, Shop]:
    """The brand that the others are copies of."""
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench", postal_address="1 Main St, Berlin")
        actor = cli_actor(brand.id)
        shop, _ = await add_shop(session, context.tokens, brand, "bench", name="Bench", actor=actor)
        # In quiet hours surveys would be deferred rather than sent.
        await change_programme(
            session, brand.id, Programme.model_validate({"survey": {"quiet_hours": None}}), actor=actor
        )
    return brand, shop


async def copy_brands(context: AppContext, brand: Brand, brands: int) -> list[int]:
    """Add copies of the brand until there are so many; rows keep their ids, which are per brand."""
    async with context.sessions.begin() as session:
        given = {"of": brand.id, "brands": brands}
        found = await session.scalars(
            text(_copy(Base.metadata.tables["brands"], "id", "slug") + " RETURNING id"), given
        )
        ids = sorted(found)
        for name in COPIED:
            await session.execute(text(_copy(Base.metadata.tables[name], "brand_id", "slug")), given)
    return [brand.id, *ids]


def _copy(table: Table, key: str, unique: str) -> str:
    values = {column.name: column.name for column in table.columns if column.computed is None}
    values[key] = "CAST(:of AS integer) + copy"
    if table.name == "brands":
        values["name"] = "name || ' ' || copy"  # or they would share the contents of their mails
    if unique in values:
        values[unique] = f"{unique} || copy"
    return (
        f"INSERT INTO {table.name} ({', '.join(values)}) OVERRIDING SYSTEM VALUE SELECT {', '.join(values.values())}"
        f" FROM {table.name}, generate_series(1, CAST(:brands AS integer) - 1) AS copy WHERE {key} = :of"
    )


async def fill(context: AppContext, shop: Shop, brand_ids: list[int], surveys_each: int) -> None:
    """Due surveys of new customers; deletes what earlier rounds left."""
    async with context.sessions.begin() as session:
        await session.execute(text("TRUNCATE attempts, messages, customers, pgqueuer CASCADE"))
        version = await session.scalar(text("SELECT max(version) FROM programmes"))
        given = {"shop_id": shop.id, "version": version, "at": clock.now(), "surveys": surveys_each}
        await session.execute(_FILL, {"brand_ids": brand_ids, **given})
    async with context.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text("VACUUM ANALYZE")
        )


@dataclass(frozen=True)
class Measured:
    """One round: seconds, processor seconds of worker and database, and statements."""

    seconds: float
    worker: float
    database: float
    statements: int


async def measured(home: Path, statements: "count[int]", run: Callable[[], Awaitable[object]]) -> Measured:
    before, began = next(statements), time.perf_counter()
    ours, theirs = time.process_time(), database_seconds(home)
    await run()
    return Measured(
        time.perf_counter() - began,
        time.process_time() - ours,
        database_seconds(home) - theirs,
        next(statements) - before - 1,
    )


async def measure(url: str, home: Path, options: argparse.Namespace) -> bool:
    engine = make_engine(url)
    context = AppContext(
        load_settings(_env_file=None, database_url=url, secret_key=KEY),
        engine,
        make_sessions(engine),
        Tokens(KEY),
        url,
    )
    statements = count()
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: next(statements))
    brand, shop = await prepare(context)
    ids = await copy_brands(context, brand, options.brands)
    both = [surveys(context), messages(context, {Channel.email: Nowhere()})]
    tune_garbage_collector()  # as a worker does at its start

    async def cycle() -> None:
        """As a worker: surveys are queued, sent, and then confirmed."""
        now: datetime = clock.now()
        for each in (*both, both[0]):
            await sweep_once(each, now)

    amount = options.brands * options.surveys
    found: dict[str, list[Measured]] = {"brands": [], "backlog": [], "idle": []}
    for _ in range(options.rounds):
        for name, brand_ids, each in (
            ("brands", ids, options.surveys),
            ("backlog", ids[:1], amount),
        ):
            await fill(context, shop, brand_ids, each)
            found[name].append(await measured(home, statements, cycle))
            await check_sent(context, amount)
        found["idle"].append(await measured(home, statements, cycle))
    await engine.dispose()
    return report(found, options.brands, amount)


async def check_sent(context: AppContext, amount: int) -> None:
    async with context.sessions() as session:
        sent = await session.scalar(text("SELECT count(*) FROM surveys WHERE status = 'sent'"))
        accepted = await session.scalar(text("SELECT count(*) FROM attempts WHERE status = 'accepted'"))
    if (sent, accepted) != (amount, amount):
        raise SystemExit(f"{sent} of {amount} surveys are sent, {accepted} attempts were accepted")


def report(found: dict[str, list[Measured]], brands: int, amount: int) -> bool:
    middle = {
        name: Measured(
            *(statistics.median(each) for each in zip(*(vars(one).values() for one in rounds), strict=True))
        )
        for name, rounds in found.items()
    }
    for name, one in middle.items():
        per = brands if name == "brands" else 1
        print(
            f"{name:>8}: {one.seconds:7.2f} s   ({', '.join(f'{each.seconds:.2f}' for each in found[name])})   "
            f"{one.statements / per:,.1f} statements{' a brand' if per > 1 else ''}"
        )
        if name != "idle":
            print(
                f"{'':>9} processor µs a survey: worker {one.worker / amount * 1e6:,.0f}, "
                f"database {one.database / amount * 1e6:,.0f}"
            )
    many, backlog = middle["brands"], middle["backlog"]
    rate, target = amount / backlog.seconds, TARGET_SECONDS * brands / 1000
    print(f"a survey in a batch of ten costs {many.seconds / backlog.seconds:.1f} times one in a backlog")
    print(f"cycle over {brands:,} brands: {many.seconds:.1f} s (target {target:.1f} s)")
    print(f"backlog: {rate:,.0f} surveys/s, queued, sent and confirmed (target {TARGET_RATE:,})")
    return many.seconds <= target and rate >= TARGET_RATE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--brands", type=int, default=1000)
    parser.add_argument("--surveys", type=int, default=10, help="due ones of each brand")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configure_logs(LogFormat.json, level=40)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        url = start_embedded(home)
        try:
            asyncio.run(migrate(url))
            met = uvloop.run(measure(url, home, options))
        finally:
            stop_embedded(home)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
