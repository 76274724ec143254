"""How long each figure of the dashboard takes in a large brand, and in one a tenth as large.

A brand of three years (`large_brand.py`) in an embedded PostgreSQL in a directory of its own. The
sweep `rollups` builds its figures; then each is read for all time, a year, 90 and 30 days in turn.

    fill       making the brand
    build      computing all of its days
    round      computing the days of 500 answers and orders, as often while the brand is busy
    others     one figure each: milliseconds at the median and of 95 %, and the ratio of both sizes

Run: uv run python benchmarks/dashboard.py [--orders 1000000] [--rounds 10] [--rows]
`--rows` also counts each figure from the rows, as it was before the roll-ups were built.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvloop
from large_brand import fill_large
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

import app.models  # noqa: F401  # all tables
from app.base import clock
from app.base.actor import cli_actor
from app.base.config import LogFormat, load_settings
from app.base.context import AppContext
from app.base.db import COMMAND, make_engine, make_sessions
from app.base.embedded import start_embedded, stop_embedded
from app.base.log import configure_logs
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.base.touched import touch
from app.brands.add import add_brand, add_shop
from app.brands.models import Brand
from app.insight.activity import activity
from app.insight.funnel import funnel
from app.insight.models import Rollup
from app.insight.overview import overview
from app.insight.periods import Period, last_days
from app.insight.roll import roll
from app.insight.scores import By, count_bands, count_groups, nps_report, response_rate
from app.orders.models import Order
from app.surveys.models import Response

KEY = "a key for benchmarks alone, of no worth to anyone"
TARGET_MS = 100.0
TARGET_RATIO = 1.3
Read = Callable[[AsyncSession, Brand, Period], Awaitable[object]]
FIGURES: dict[str, Read] = {
    "overview": overview,
    "nps": nps_report,
    "score": count_bands,
    "response rate": response_rate,
    "funnel": funnel,
    "activity": activity,
    **{
        f"nps by {by}": (lambda session, brand, period, by=by: count_groups(session, brand, period, by))
        for by in By
    },
}


async def fill(home: Path, orders: int) -> tuple[AppContext, Brand]:
    """A context with a brand of so many orders."""
    url = start_embedded(home)
    await migrate(url)
    engine = make_engine(url, pool_size=4, limits=COMMAND)
    settings = load_settings(_env_file=None, database_url=url, secret_key=KEY)
    context = AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "large", name="Large", time_zone="Europe/Berlin")
        shops = [
            (
                await add_shop(
                    session,
                    context.tokens,
                    brand,
                    f"shop{number}",
                    name="Shop",
                    platform="checkout",
                    currency="EUR",
                    actor=cli_actor(brand.id),
                )
            )[0]
            for number in range(3)
        ]
    await fill_large(context, brand, shops, orders)
    return context, brand


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
    return time.perf_counter() - began


async def note_some(context: AppContext, brand: Brand) -> None:
    """Notes of the latest answers and of the latest orders, as a busy hour leaves them."""
    async with context.sessions.begin() as session:
        for table, model in (("responses", Response), ("orders", Order)):
            latest = select(model.id).where(model.brand_id == brand.id).order_by(model.id.desc()).limit(250)
            await touch(session, brand.id, table, (await session.scalars(latest)).all())


async def measure(context: AppContext, brand: Brand, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each figure, over periods of several lengths."""
    lengths = [Period(), *(last_days(days, brand.time_zone, now=clock.now()) for days in (365, 90, 30))]
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    for turn in range(rounds + 1):
        for name, read in FIGURES.items():
            for period in lengths:
                async with context.sessions() as session:
                    await session.execute(text("SELECT 1"))
                    began = time.perf_counter()
                    await read(session, brand, period)
                    if turn:
                        found[name].append(1000 * (time.perf_counter() - began))
    return found


async def run(orders: int, rounds: int, *, rows: bool) -> None:
    """Print every figure at both sizes."""
    results = []
    for size in (orders // 10, orders):
        with tempfile.TemporaryDirectory(prefix="tenfold-dashboard-", dir="/dev/shm") as home:
            began = time.perf_counter()
            context, brand = await fill(Path(home), size)
            try:
                print(f"{size:,} orders: filled in {time.perf_counter() - began:.1f} s")
                if rows:
                    report("from rows", await measure(context, brand, 1))
                print(f"  built in {await rolled(context, brand):.1f} s")
                await note_some(context, brand)
                print(f"  a round in {await rolled(context, brand):.2f} s")
                results.append(await measure(context, brand, rounds))
                report("rolled", results[-1])
            finally:
                await context.engine.dispose()
                stop_embedded(Path(home))
    print("ratios of medians")
    for name in FIGURES:
        small, large = (statistics.median(result[name]) for result in results)
        slowest = _p95(results[-1][name])
        kept = "" if large / small <= TARGET_RATIO and slowest <= TARGET_MS else "  MISSED"
        print(f"  {name:20} {large / small:5.2f}{kept}")


def report(what: str, found: dict[str, Sequence[float]]) -> None:
    """Print the median and the 95th percentile of each figure."""
    print(f"  {what}, ms: median, p95")
    for name, times in found.items():
        print(f"    {name:20} {statistics.median(times):8.1f} {_p95(times):8.1f}")


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[max(0, round(0.95 * len(times)) - 1)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the dashboard's figures.")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rows", action="store_true")
    chosen = parser.parse_args()
    configure_logs(LogFormat.console)
    uvloop.run(run(chosen.orders, chosen.rounds, rows=chosen.rows))
