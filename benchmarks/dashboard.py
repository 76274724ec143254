"""How long every screen of the dashboard takes in a large brand, and in one a tenth as large.

A brand of three years (`large_brand.py`) in an embedded PostgreSQL in a directory of its own. The
sweep `rollups` builds its figures. Then the application shows every screen, and every list with
each of its filters (`dashboard_screens.py`), to an administrator, nothing kept from before.

    filled      making the brand
    built       computing all of its days
    a round     computing the days of 500 answers and orders, as often while the brand is busy
    p50, p95    milliseconds of a page, from the request to the end of the response
    ratio       of the medians of both sizes
    statements  of one page, and `rows`: rows and entries of indexes that they read

A row of the report that misses a target says so; the last lines are about all pages together.

Run: uv run python benchmarks/dashboard.py [--orders 1000000] [--rounds 10] [--only WORD]
    [--keep DIR]
`--only` shows the pages with this word in their names; `--keep` fills both brands below a
directory and uses them again the next time.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvloop
from dashboard_home import EMAIL, Filled, open_large
from dashboard_screens import Screen, screens_of
from fastapi import FastAPI
from sqlalchemy import event, text

from app.admin.links import make_login_link
from app.base import clock
from app.base.config import LogFormat
from app.base.log import configure_logs
from app.main import create_app

TARGET_MS = 100.0
TARGET_RATIO = 1.3
_KEPT = ("overviews", "score_figures")
"""What the application keeps of figures; here each page computes them."""


@dataclass(slots=True)
class Cost:
    """What one page costs."""

    times: list[float] = field(default_factory=list)
    """Milliseconds."""
    statements: int = 0
    rows: int = 0

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        return _p95(self.times)


@asynccontextmanager
async def signed_in(filled: Filled) -> AsyncIterator[tuple[FastAPI, httpx2.AsyncClient]]:
    """The application, and a browser of the brand's administrator."""
    context = filled.parts.context
    app = create_app(filled.parts)
    async with filled.session() as session:
        url = await make_login_link(session, context, EMAIL, now=clock.now(), brand_id=filled.brand.id)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bench") as client:
        shown = await client.post(url.removeprefix(context.settings.public_url))
        if shown.status_code != 303:
            raise RuntimeError(f"signing in returned {shown.status_code}")
        yield app, client


async def show(app: FastAPI, client: httpx2.AsyncClient, screen: Screen) -> float:
    """Milliseconds of a page. Raises RuntimeError for one that leads elsewhere or fails."""
    for name in _KEPT:
        if hasattr(app.state, name):
            delattr(app.state, name)
    began = time.perf_counter()
    shown = await client.get(screen.path, params=dict(screen.query))
    took = 1000 * (time.perf_counter() - began)
    if shown.status_code != 200 and not screen.path.endswith("/search"):
        raise RuntimeError(f"{screen.name}: {shown.status_code} {shown.headers.get('location', '')}")
    return took


async def measure(filled: Filled, rounds: int, only: str) -> dict[str, Cost]:
    """Every page so many times, after one that warms up and is counted in statements and rows."""
    screens = [screen for screen in await screens_of(filled) if only in screen.name]
    costs: dict[str, Cost] = {screen.name: Cost() for screen in screens}
    executed = 0
    engine = filled.parts.context.engine

    def count(*_: object) -> None:
        nonlocal executed
        executed += 1

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    async with signed_in(filled) as (app, client):
        for screen in screens:
            await show(app, client, screen)
            before, executed = await _rows_read(filled), 0
            await show(app, client, screen)
            costs[screen.name].statements = executed
            costs[screen.name].rows = await _rows_read(filled) - before
        for _ in range(rounds):
            for screen in screens:
                costs[screen.name].times.append(await show(app, client, screen))
    return costs


async def _rows_read(filled: Filled) -> int:
    """Rows and entries of indexes that were read until now, by the one connection in use."""
    async with filled.parts.context.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("SELECT pg_stat_force_next_flush()"))
        found = await alone.execute(
            text("""SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)
                + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)""")
        )
        return int(found.scalar_one())


async def run(orders: int, rounds: int, only: str, keep: str | None) -> None:
    """Print every page at both sizes."""
    results = []
    for size in (orders // 10, orders):
        print(f"{size:,} orders", flush=True)
        with tempfile.TemporaryDirectory(prefix="tenfold-dashboard-", dir="/dev/shm") as made:
            home = Path(made) if keep is None else Path(keep) / str(size)
            async with open_large(home, size) as filled:
                results.append(await measure(filled, rounds, only))
    report(*results)


def report(small: dict[str, Cost], large: dict[str, Cost]) -> None:
    """Print the table, and what all pages have in common."""
    print(f"{'page':52} {'p50':>7} {'p95':>7} {'ratio':>6} {'statements':>10} {'rows':>8}")
    missed = 0
    # The same pages in the same order; some are named by what the brand has, such as an address.
    for tenth, (name, cost) in zip(small.values(), large.items(), strict=True):
        ratio = cost.p50 / tenth.p50
        kept = cost.p95 < TARGET_MS and ratio <= TARGET_RATIO
        missed += not kept
        print(
            f"{name:52} {cost.p50:7.1f} {cost.p95:7.1f} {ratio:6.2f} {cost.statements:10} {cost.rows:8}"
            f"{'' if kept else '  MISSED'}"
        )
    every = [each for cost in large.values() for each in cost.times]
    others = [each for cost in small.values() for each in cost.times]
    print(
        f"{len(large)} pages: p50 {statistics.median(every):.1f} ms, p95 {_p95(every):.1f} ms, slowest page's p95 "
    )
    print(
        f"  {max(cost.p95 for cost in large.values()):.1f} ms; of p95 a tenth's {_p95(others):.1f} ms; {missed} missed"
    )


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[max(0, round(0.95 * len(times)) - 1)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the dashboard's screens.")
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    chosen = parser.parse_args()
    configure_logs(LogFormat.console)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    uvloop.run(run(chosen.orders, chosen.rounds, chosen.only, chosen.keep))
