"""How many deliveries a second one server process stores, against a lower and an upper bound.

Three endpoints of one real uvicorn process on loopback, over an embedded PostgreSQL in a directory
of its own, called in turn by an aiohttp client in another process:

    verify   reads the body, finds the shop, checks the signature; stores nothing
    ingest   the product's endpoint: the same, committed with what arrived beside it, then answered
    orm      the same, with one SQLAlchemy session and transaction a request

Deliveries are those of a checkout (1 KB), or a platform's orders in `tests/samples/` (3 KB).

Run: uv run python benchmarks/ingest.py [--platform checkout] [--seconds 4] [--rounds 3]
         [--connections 64]
"""

import argparse
import asyncio
import base64
import hmac
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import parsing
import uvicorn
from fastapi import FastAPI, Request
from processor import database_seconds, process_seconds
from sqlalchemy import text
from starlette.responses import Response

from app.base import clock, due
from app.base.actor import cli_actor
from app.base.batch import as_row
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.embedded import start_embedded, stop_embedded
from app.base.log import configure_logs
from app.base.memory import tune_garbage_collector
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.base.web.middleware import RequestMiddleware, read_body
from app.base.web.problems import install_problems
from app.brands.add import add_brand, add_shop
from app.brands.rules import Platform
from app.ingest.models import Delivery
from app.ingest.routes import BODY_LIMIT, DROP_LIMIT, get_inbox, router
from app.ingest.verify import verify_delivery

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = "a key for benchmarks alone, of no worth to anyone"
TARGET_OF_VERIFY = 0.55
TARGET_OF_ORM = 4.0
KINDS = {kind.platform: kind for kind in parsing.KINDS}


def open_context(url: str) -> AppContext:
    settings = load_settings(_env_file=None, database_url=url, secret_key=KEY)
    engine = make_engine(url, pool_size=15)
    return AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)


def serve(url: str, port: int, platform: str) -> None:
    """The server process: the product's router and the two it is measured against."""
    context = open_context(url)
    configure_logs(context.settings.log_format)
    tune_garbage_collector()  # as the web does at its start
    app = FastAPI()
    app.state.context = context
    app.add_middleware(RequestMiddleware)
    install_problems(app)
    app.include_router(router)

    @app.post("/bench/{shop}/verify")
    async def verify(request: Request, shop: str) -> Response:
        raw = await read_body(request, limit=BODY_LIMIT, drop_up_to=DROP_LIMIT)
        await verify_delivery(get_inbox(request), platform, shop, request.headers, raw, now=clock.now())
        return Response(b'{"received": true}', media_type="application/json")

    @app.post("/bench/{shop}/orm")
    async def orm(request: Request, shop: str) -> Response:
        raw = await read_body(request, limit=BODY_LIMIT, drop_up_to=DROP_LIMIT)
        delivery = await verify_delivery(
            get_inbox(request), platform, shop, request.headers, raw, now=clock.now()
        )
        assert delivery is not None
        async with context.sessions.begin() as session:
            session.add(Delivery(**as_row(delivery)))
            await due.wake(session, "ingest")
        return Response(b'{"received": true}', media_type="application/json")

    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="error", access_log=False
    )


def order(number: int) -> bytes:
    """A delivery of about 1 KB."""
    data = {
        "id": str(number),
        "number": f"#{number}",
        "placed_at": "2026-03-01T10:00:00Z",
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "84.90",
        "discount_total": "0.00",
        "discount_codes": [],
        "customer": {
            "id": f"c{number}",
            "email": f"person{number}@example.com",
            "first_name": "Ann",
            "last_name": "Example",
            "country": "NL",
        },
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
            "line1": "Main Street 1",
            "city": "Utrecht",
            "postal_code": "3511",
            "country": "NL",
        },
    }
    return json.dumps({"type": "order.paid", "timestamp": "2026-03-01T10:00:00Z", "data": data}).encode()


def sign(raw: bytes, message_id: str) -> dict[str, str]:
    stamp = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{message_id}.{stamp}.".encode() + raw, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature}",
        "content-type": "application/json",
    }


def deliveries_of(platform: str) -> Callable[[int], tuple[bytes, dict[str, str]]]:
    """What makes the delivery of the order with a number: its body and its headers."""
    kind = KINDS.get(platform)
    if kind is None:
        return lambda number: ((raw := order(number)), sign(raw, f"msg_{number}"))
    sample = orjson.loads((parsing.SAMPLES / kind.sample).read_bytes())

    def make(number: int) -> tuple[bytes, dict[str, str]]:
        raw = orjson.dumps(sample | {"id": 10**9 + number})
        return raw, {**kind.headers(raw), "content-type": "application/json"}

    return make


async def load(
    client: aiohttp.ClientSession,
    address: str,
    seconds: float,
    connections: int,
    numbers: Any,
    make: Callable[[int], tuple[bytes, dict[str, str]]],
) -> tuple[float, float]:
    """Requests per second and the 99th percentile in milliseconds, with so many open at a time."""
    ends = time.perf_counter() + seconds
    took: list[float] = []

    async def one_connection() -> None:
        while time.perf_counter() < ends:
            raw, headers = make(next(numbers))
            began = time.perf_counter()
            async with client.post(address, data=raw, headers=headers) as response:
                body = await response.read()
            took.append(time.perf_counter() - began)
            if response.status != 200:
                raise RuntimeError(f"{address} returned {response.status}: {body[:200]!r}")

    began = time.perf_counter()
    await asyncio.gather(*(one_connection() for _ in range(connections)))
    return len(took) / (time.perf_counter() - began), statistics.quantiles(took, n=100)[98] * 1000


async def prepare(url: str, platform: str) -> None:
    await migrate(url)
    context = open_context(url)
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "shop", name="Shop")
        await add_shop(
            session,
            context.tokens,
            brand,
            "shop",
            name="Shop",
            platform=Platform(platform),
            webhook_secret=SECRET if platform == Platform.checkout else parsing.SECRET,
            actor=cli_actor(brand.id),
        )
    await context.engine.dispose()


async def measure(url: str, home: Path, server: int, port: int, options: argparse.Namespace) -> bool:
    base = f"http://127.0.0.1:{port}"
    endpoints = {
        "verify": "/bench/shop/verify",
        "ingest": f"/hooks/shop/{options.platform}",
        "orm": "/bench/shop/orm",
    }
    numbers, make = count(1), deliveries_of(options.platform)
    rates: dict[str, list[float]] = {name: [] for name in endpoints}
    slow: dict[str, list[float]] = {name: [] for name in endpoints}
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in endpoints}
    connector = aiohttp.TCPConnector(limit=options.connections)
    async with aiohttp.ClientSession(connector=connector) as client:
        await reachable(client, base)
        for path in endpoints.values():
            await load(client, base + path, 1.0, options.connections, numbers, make)
        for _ in range(options.rounds):
            for name, path in endpoints.items():
                before = process_seconds(server), database_seconds(home)
                began = time.perf_counter()
                rate, p99 = await load(
                    client, base + path, options.seconds, options.connections, numbers, make
                )
                requests = rate * (time.perf_counter() - began)
                after = process_seconds(server), database_seconds(home)
                costs[name].append(
                    ((after[0] - before[0]) / requests * 1e6, (after[1] - before[1]) / requests * 1e6)
                )
                rates[name].append(rate)
                slow[name].append(p99)
    middle = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in middle.items():
        ours, theirs = (statistics.median(cost[place] for cost in costs[name]) for place in (0, 1))
        print(
            f"{name:7} {rate:8,.0f} requests/s   p99 {statistics.median(slow[name]):6.1f} ms   "
            f"rounds {[round(each) for each in rates[name]]}"
        )
        print(f"        processor µs a request: server {ours:.0f}, database {theirs:.0f}")
    of_verify, of_orm = middle["ingest"] / middle["verify"], middle["ingest"] / middle["orm"]
    print(
        f"ingest / verify = {of_verify:.2f} (target {TARGET_OF_VERIFY})   "
        f"ingest / orm = {of_orm:.2f} (target {TARGET_OF_ORM})"
    )
    await check_stored(url)
    return of_verify >= TARGET_OF_VERIFY and of_orm >= TARGET_OF_ORM


async def reachable(client: aiohttp.ClientSession, base: str) -> None:
    for _ in range(600):
        try:
            async with client.get(base):
                return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the server did not start")


async def check_stored(url: str) -> None:
    """Check that every acknowledged delivery is stored once; prints how large the groups were."""
    engine = make_engine(url, pool_size=1)
    async with engine.connect() as connection:
        events = await connection.scalar(text("SELECT count(*) FROM deliveries"))
        wakes = await connection.scalar(text("SELECT count(*) FROM pgqueuer"))
    await engine.dispose()
    print(f"{events:,} deliveries stored, {wakes:,} wake-ups")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--platform", choices=["checkout", *KINDS], default="checkout")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        url = start_embedded(home)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        asyncio.run(prepare(url, options.platform))
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(url, port, options.platform), daemon=True
        )
        server.start()
        try:
            met = asyncio.run(measure(url, home, server.pid or 0, port, options))
        finally:
            server.terminate()
            server.join()
            stop_embedded(home)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
