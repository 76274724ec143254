"""How fast a list of 200,000 rows leaves as CSV, and that it takes no more memory than a short one.

The product's own web in this process, over an embedded PostgreSQL, called over real HTTP by a
client that reads and counts. The ledger is exported, first a tenth of it and then the whole: a row
of the long list must cost what a row of the short one does.

Run: uv run python benchmarks/exports.py [--rows 200000]
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import uvicorn
from processor import database_seconds
from sqlalchemy import text

from app.admin.keys import add_key
from app.admin.rules import Scope
from app.base.actor import cli_actor
from app.base.config import LogFormat, load_settings
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.embedded import start_embedded, stop_embedded
from app.base.log import configure_logs
from app.base.memory import tune_garbage_collector
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.brands.add import add_brand
from app.brands.models import Brand
from app.main import create_app
from app.wiring import Parts

KEY = "a key for benchmarks alone, of no worth to anyone"
FLAT = 1.25
"""Memory, and processor time a row, may grow by a quarter from the short list to the long one."""


@dataclass(frozen=True)
class Measured:
    """Rows a second, processor µs a row of web and client and of the database, most megabytes."""

    rate: float
    web: float
    database: float
    memory: float


async def fill(context: AppContext, brand: Brand, first: int, count: int) -> None:
    """Add `count` entries to the brand's ledger, two a transaction."""
    async with context.sessions.begin() as session:
        await session.execute(
            text("""
                INSERT INTO ledger_entries (brand_id, id, transaction_id, transaction_key, account, amount,
                    currency, cause_kind, cause_id, occurred_at, posted_on)
                SELECT :brand_id, md5('entry' || place)::uuid, md5('transaction' || place / 2)::uuid,
                    'bench:' || place / 2, CASE place % 2 WHEN 0 THEN 'reward_cost' ELSE 'referrers' END,
                    CASE place % 2 WHEN 0 THEN 1000 ELSE -1000 END, 'EUR', 'redemption',
                    md5('cause' || place / 2)::uuid, now(), current_date
                FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS place
            """),
            {"brand_id": brand.id, "first": first, "last": first + count - 1},
        )
    async with context.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("ANALYZE"))


async def export(client: httpx2.AsyncClient, home: Path, rows: int) -> Measured:
    """Read the whole list; it must have every row."""
    process = psutil.Process()
    began, ours, theirs = time.perf_counter(), time.process_time(), database_seconds(home)
    lines, memory = -1, 0.0
    async with client.stream("GET", "/exports/ledger.csv") as response:
        if response.status_code != 200:
            raise SystemExit(f"the export got {response.status_code}")
        async for chunk in response.aiter_bytes():
            lines += chunk.count(b"\n")
            memory = max(memory, process.memory_info().rss / 1e6)
    if lines != rows:
        raise SystemExit(f"{lines} of {rows} rows came")
    seconds = time.perf_counter() - began
    ours, theirs = time.process_time() - ours, database_seconds(home) - theirs
    return Measured(rows / seconds, ours / rows * 1e6, theirs / rows * 1e6, memory)


async def measure(url: str, home: Path, rows: int) -> bool:
    await migrate(url)
    engine = make_engine(url)
    settings = load_settings(_env_file=None, database_url=url, secret_key=KEY)
    context = AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench")
        key = await add_key(session, brand.id, [Scope.read], actor=cli_actor(brand.id))
    tune_garbage_collector()
    server = uvicorn.Server(
        uvicorn.Config(create_app(Parts(context, {})), port=0, log_level="error", lifespan="off")
    )
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api/v1"
    few = rows // 10
    async with httpx2.AsyncClient(
        base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=120
    ) as client:
        await fill(context, brand, 0, few)
        await export(client, home, few)
        short = await export(client, home, few)
        await fill(context, brand, few, rows - few)
        long = await export(client, home, rows)
    server.should_exit = True
    await running
    await engine.dispose()
    return report(short, long, few, rows)


def report(short: Measured, long: Measured, few: int, rows: int) -> bool:
    for name, one in ((few, short), (rows, long)):
        print(
            f"{name:9,} rows: {one.rate:8,.0f} rows/s   processor µs a row: web and client {one.web:.0f}, "
            f"database {one.database:.0f}   memory {one.memory:.0f} MB"
        )
    costs = (long.web + long.database) / (short.web + short.database)
    memory = long.memory / short.memory
    print(f"long / short: processor time a row {costs:.2f}, memory {memory:.2f} (wanted {FLAT} at most)")
    return costs <= FLAT and memory <= FLAT


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    configure_logs(LogFormat.json, level=40)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        url = start_embedded(home)
        try:
            met = asyncio.run(measure(url, home, rows))
        finally:
            stop_embedded(home)
    raise SystemExit(0 if met else 1)


if __name__ == "__main__":
    main()
