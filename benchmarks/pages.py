"""What a customer's pages cost the web process, on a brand with many orders.

The real web, a process of its own over an embedded PostgreSQL. Two brands in one database, a small
one and a filled one, are asked in turn, by one browser that accepts compressed pages. In the same
run a bare application shows the survey's page with FastAPI and Jinja alone: no database, no
middleware.

Prints processor time a request of the web and the database, the ratio to the bare page, and that
of the filled brand to the small one. Every page is another person's, as it is in life.

Run: uv run python benchmarks/pages.py [--orders 100000] [--requests 150]
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from uuid import UUID

import aiohttp
import uvicorn
from fastapi import FastAPI
from filled_brand import fill, open_surveys, referrers, slug_of
from processor import database_seconds, process_seconds
from sqlalchemy import func, select
from starlette.responses import HTMLResponse

from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import COMMAND
from app.base.embedded import stop_embedded
from app.base.pools import command_pools
from app.base.schema import migrate
from app.base.templates import make_environment
from app.base.web.stylesheets import stylesheet_url
from app.brands.add import add_brand, add_shop
from app.brands.appearance import page_values
from app.brands.models import Brand
from app.messaging.models import Message
from app.wiring import open_parts

TARGETS_MS = {"GET /s": 1.5, "GET /r": 1.5, "GET /p": 2.5, "POST /s": 6.0}
"""Of the web process's processor time a request, on the filled brand."""
GROWTH = 1.25
"""The filled brand's page may cost the web a quarter more than the small one's."""
SMALL = 6_000
ROUNDS = 3
WARM_UP = 5
"""A fifth of a round's requests come first and are not counted: each POST waits for the disk."""
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def bare_app() -> FastAPI:
    """An application that shows the survey's page from fixed values."""
    app = FastAPI()
    brand = Brand(id=1, slug="bench", name="Bench", postal_address="1 Main St", locale="en", branding={})
    values = page_values(brand, "en") | {
        "lang": "en",
        "stylesheet_url": stylesheet_url,
        "first_name": "Ana",
        "unsubscribe_url": "/u/x",
        "token": "x",
        "score": None,
        "comment": "",
        "testimonial_consent": False,
        "max_comment": 5000,
        "opened": 0,
        "is_missing_score": False,
        "answered": None,
        "minutes_left": None,
        "item_title": "Linen shirt",
        "order_number": "1",
        "ordered_on": "3 March 2026",
    }

    @app.get("/page/{token}", response_class=HTMLResponse)
    async def show(token: str) -> HTMLResponse:
        body = make_environment("web").get_template("survey.html").render(values | {"token": token})
        return HTMLResponse(body)

    return app


@dataclass
class Target:
    """A brand whose pages are asked for; every list goes round."""

    context: AppContext
    brand: Brand
    orders: int
    surveys: Iterator[UUID] = field(init=False)
    unanswered: Iterator[UUID] = field(init=False)
    referrers: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        surveys = open_surveys(self.orders)
        half = len(surveys) // 2
        self.surveys, self.unanswered = cycle(surveys[:half]), iter(surveys[half:])
        self.referrers = cycle(referrers(self.orders))

    def path(self, page: str) -> str:
        """The path of the next page of this kind."""
        link = self.context.tokens.link
        match page:
            case "GET /s":
                return f"/s/{link('survey', self.brand.id, next(self.surveys))}"
            case "POST /s":
                return f"/s/{link('survey', self.brand.id, next(self.unanswered))}"
            case "GET /p":
                return f"/p/{link('referrer', self.brand.id, UUID(int=next(self.referrers)))}"
            case _:
                return f"/r/{slug_of(self.brand.id, next(self.referrers))}"


@dataclass
class Cost:
    """Milliseconds of processor time a request, by round."""

    web: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)

    @property
    def ms(self) -> float:
        return statistics.median(self.web)


@dataclass
class Meter:
    """Measures what requests cost one process and the database."""

    process_id: int
    home: Path

    async def measure(self, cost: Cost, count: int, ask: Callable[[], Awaitable[None]]) -> None:
        web, database = process_seconds(self.process_id), database_seconds(self.home)
        for _ in range(count):
            await ask()
        cost.web.append((process_seconds(self.process_id) - web) / count * 1000)
        cost.database.append((database_seconds(self.home) - database) / count * 1000)


async def request(
    session: aiohttp.ClientSession, method: str, address: str, form: Mapping[str, str] | None, expected: int
) -> None:
    async with session.request(method, address, data=form, allow_redirects=False) as response:
        await response.read()
        if response.status != expected:
            raise SystemExit(f"{method} {address.rpartition('/')[0]} got {response.status}")


async def measure_all(
    base: str, bare_base: str, targets: Mapping[str, Target], meters: tuple[Meter, Meter], requests: int
) -> tuple[dict[tuple[str, str], Cost], Cost]:
    """The cost of each page of each brand, and of the bare page, taken in turn."""
    costs = {(page, name): Cost() for page in TARGETS_MS for name in targets}
    plain = Cost()
    async with aiohttp.ClientSession(
        headers={"User-Agent": BROWSER, "Accept-Encoding": "gzip"}, connector=aiohttp.TCPConnector(limit=1)
    ) as session:
        for count in counts(requests):
            await meters[1].measure(
                plain, count, lambda: request(session, "GET", f"{bare_base}/page/x", None, 200)
            )
            for (page, name), cost in costs.items():
                target, method = targets[name], page.split()[0]
                form, expected = ({"score": "10"}, 303) if method == "POST" else (None, 200)

                async def ask(page=page, target=target, method=method, form=form, expected=expected) -> None:
                    await request(session, method, base + target.path(page), form, expected)

                await meters[0].measure(cost, count, ask)
    for cost in (plain, *costs.values()):
        del cost.web[0], cost.database[0]
    return costs, plain


def counts(requests: int) -> list[int]:
    """The requests for each page, by round; the first one warms up."""
    return [requests // WARM_UP, *(requests for _ in range(ROUNDS))]


async def make_target(context: AppContext, slug: str, orders: int) -> Target:
    async with context.sessions.begin() as session:
        brand = await add_brand(session, slug, name="Bench", postal_address="1 Main St")
        shop, _ = await add_shop(
            session,
            context.tokens,
            brand,
            slug,
            name="Bench",
            url="https://bench.example",
            actor=cli_actor(brand.id),
        )
    await fill(context, brand, shop, orders)
    return Target(context, brand, orders)


async def until_ready(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(1200):
            try:
                async with session.get(address) as response:
                    if response.status == 200:
                        return
                    if response.status == 500:
                        raise SystemExit(f"{address} fails: {(await response.text())[:500]}")
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit(f"nothing came up at {address}")


async def count_offers(target: Target) -> int:
    async with target.context.sessions() as session:
        query = select(func.count()).select_from(Message)
        of_brand = (Message.brand_id == target.brand.id, Message.template == "offer")
        return (await session.execute(query.where(*of_brand))).scalar_one()


async def run(home: Path, ports: tuple[int, int], orders: int, requests: int) -> bool:
    base, bare_base = (f"http://127.0.0.1:{port}" for port in ports)
    async with open_parts(load_settings(_env_file=None), pools=command_pools(10), limits=COMMAND) as parts:
        context = parts.context
        await migrate(context.database_url)
        answers = sum(counts(requests))
        small = max(SMALL, 6 * answers + 6)
        targets = {
            "small": await make_target(context, "small", small),
            "filled": await make_target(context, "filled", max(orders, small)),
        }
        web = ["tenfold", "web", "--port", str(ports[0])]
        plain = [sys.executable, __file__, "--bare", str(ports[1])]
        with started(web) as first, started(plain) as second:
            await until_ready(f"{base}/readyz")
            await until_ready(f"{bare_base}/page/x")
            meters = Meter(first, home), Meter(second, home)
            costs, bare_cost = await measure_all(base, bare_base, targets, meters, requests)
        offers = [await count_offers(target) for target in targets.values()]
    if offers != [answers] * 2:
        raise SystemExit(f"{offers} offers for {answers} answers each")
    return report(costs, bare_cost, targets["filled"].orders)


@contextmanager
def started(command: Sequence[str]) -> Iterator[int]:
    """A process for the time of the block; yields its id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def report(costs: Mapping[tuple[str, str], Cost], plain: Cost, orders: int) -> bool:
    """Print the figures; whether every target is met."""
    print(f"filled brand: {orders:,} orders; processor time a request, median of {ROUNDS} rounds")
    print(f"bare page: {plain.ms:.2f} ms")
    met = True
    for page, target in TARGETS_MS.items():
        small, filled = costs[page, "small"], costs[page, "filled"]
        growth = filled.ms / small.ms
        reached = filled.ms <= target and growth <= GROWTH
        met = met and reached
        print(
            f"{page:8} web {filled.ms:5.2f} ms (wanted {target} at most), {filled.ms / plain.ms:4.1f} times the bare page; "
            f"filled / small {growth:.2f} (wanted {GROWTH} at most); "
            f"database {statistics.median(filled.database):.2f} ms (small {statistics.median(small.database):.2f})"
            f"{'' if reached else '   MISSED'}"
        )
    return met


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=150)
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        uvicorn.run(bare_app(), host="127.0.0.1", port=arguments.bare, log_level="error", access_log=False)
        return
    ports = free_ports()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ.update({"TENFOLD_HOME": str(home), "TENFOLD_PUBLIC_URL": f"http://127.0.0.1:{ports[0]}"})
        try:
            met = asyncio.run(run(home, ports, arguments.orders, arguments.requests))
        finally:
            stop_embedded(home)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
