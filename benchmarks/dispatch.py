"""How many e-mails a second one worker sends, attempts recorded, and what it costs in memory.

One worker process over an embedded PostgreSQL in a directory of its own. A sink in another process
stands for SendGrid: it reads every body, parses it and accepts. In one run, in turn:

    sendgrid   the product's sweep: claims of 1,000, one call each through the SendGrid adapter
    single     the same sweep with one message a call, as an SDK's `send` would have it
    nowhere    the product's sweep with a provider that does nothing: what
               claiming, rendering and recording alone take

Memory is measured where it is asked for: over 200,000 messages it takes some minutes.

Run: uv run python benchmarks/dispatch.py [--messages 10000] [--rounds 3] [--memory 200000]
"""

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil
import uvloop
from aiohttp import web
from processor import database_seconds
from sqlalchemy import text

from app.base import clock
from app.base.actor import cli_actor
from app.base.config import LogFormat, load_settings
from app.base.context import AppContext
from app.base.db import make_engine, make_sessions
from app.base.due import sweep_once
from app.base.embedded import start_embedded, stop_embedded
from app.base.ids import new_id
from app.base.log import configure_logs
from app.base.memory import tune_garbage_collector
from app.base.schema import migrate
from app.base.tokens import Tokens
from app.brands.add import add_brand, add_shop, change_programme
from app.brands.models import Brand, Shop
from app.brands.programme import Channel, Programme
from app.messaging.providers.protocol import Accepted, OutgoingBatch, Provider, Result
from app.messaging.providers.sendgrid.client import SendGrid
from app.messaging.queue import NewMessage, queue_messages
from app.messaging.send_sweeps import sweep
from app.surveys.templates import SURVEY, SurveyParams

TARGET = 8_000
TARGET_OF_SINGLE = 5.0
FLAT = 1.25
"""Memory may grow by a quarter from the tenth to the last of the messages."""
KEY = "a key for benchmarks alone, of no worth to anyone"
CHUNK = 5_000


def sink(port: int) -> None:
    """SendGrid as far as sending needs it: reads and parses requests, and accepts them."""

    async def mail(request: web.Request) -> web.Response:
        orjson.loads(await request.read())
        return web.Response(status=202, headers={"X-Message-Id": new_id().hex})

    app = web.Application(client_max_size=40 * 1024 * 1024)
    app.router.add_post("/v3/mail/send", mail)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


def wait_for(port: int) -> None:
    """Wait until the sink listens."""
    for _ in range(1_200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the sink did not start")


@dataclass
class Nowhere:
    """Accepts everything at once."""

    name: str = "nowhere"
    most: int = 1_000

    async def send(self, batch: OutgoingBatch) -> list[Result]:
        return [Accepted(None)] * len(batch.recipients)

    async def close(self) -> None:
        pass


class Single(SendGrid):
    """Sends one message per call."""

    most = 1


async def fill_queue(context: AppContext, brand: Brand, shop: Shop, count: int) -> None:
    """Create customers with one due survey each; deletes what earlier rounds left."""
    async with context.sessions.begin() as session:
        await session.execute(text("TRUNCATE attempts, messages, customers, pgqueuer CASCADE"))
    now = clock.now()
    for start in range(0, count, CHUNK):
        ids = [new_id() for _ in range(min(CHUNK, count - start))]
        addresses = [f"person{start + place}@example.com" for place in range(len(ids))]
        async with context.sessions.begin() as session:
            await session.execute(
                text("""
                    INSERT INTO customers (brand_id, id, email, first_name, phone_agreed, country_own)
                    SELECT :brand_id, id, email, 'Ana', false, false FROM unnest(CAST(:ids AS uuid[]), CAST(:addresses AS text[])) AS new (id, email)
                """),
                {"brand_id": brand.id, "ids": ids, "addresses": addresses},
            )
            template_params = SurveyParams("Ana", "Linen shirt", "1001", "2026-03-03")
            messages = [
                NewMessage(
                    SURVEY,
                    new_id(),
                    person,
                    shop.id,
                    Channel.email,
                    address,
                    "en",
                    template_params,
                    now,
                )
                for person, address in zip(ids, addresses, strict=True)
            ]
            await queue_messages(session, brand.id, messages)
    async with context.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(
            text("VACUUM ANALYZE")
        )


@dataclass(frozen=True)
class Measured:
    """One round: messages per second, and processor µs per message of worker and database."""

    rate: float
    worker: float
    database: float


async def round_of(context: AppContext, home: Path, provider: Provider, count: int) -> Measured:
    """Send until none is left; every message must have been accepted and have its attempt."""
    began, ours, theirs = time.perf_counter(), time.process_time(), database_seconds(home)
    await sweep_once(sweep(context, {Channel.email: provider}), clock.now())
    seconds, ours, theirs = (
        time.perf_counter() - began,
        time.process_time() - ours,
        database_seconds(home) - theirs,
    )
    async with context.sessions() as session:
        done = await session.scalar(
            text("""
                SELECT count(*) FROM messages JOIN attempts ON attempts.brand_id = messages.brand_id AND message_id = messages.id
                WHERE messages.status = 'accepted' AND attempts.status = 'accepted'
            """)
        )
    if done != count:
        raise SystemExit(f"{done} of {count} messages were sent and recorded")
    return Measured(count / seconds, ours / count * 1e6, theirs / count * 1e6)


async def memory(
    context: AppContext, brand: Brand, shop: Shop, provider: Provider, count: int
) -> list[float]:
    """Resident megabytes of this process after each tenth of a long sweep."""
    await fill_queue(context, brand, shop, count)
    one = sweep(context, {Channel.email: provider})
    seen = []
    sent = 0
    while moved := await one.work(brand.id, clock.now()):
        sent += moved
        if sent * 10 // count > len(seen):
            seen.append(psutil.Process().memory_info().rss / 1e6)
    return seen


async def measure(url: str, home: Path, port: int, arguments: argparse.Namespace) -> bool:
    settings = load_settings(_env_file=None, database_url=url, secret_key=KEY)
    engine = make_engine(url)
    context = AppContext(settings, engine, make_sessions(engine), Tokens(KEY), url)
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench", postal_address="1 Main St, Berlin")
        shop, _ = await add_shop(
            session, context.tokens, brand, "bench", name="Bench", actor=cli_actor(brand.id)
        )
        # In quiet hours surveys would be deferred rather than sent.
        await change_programme(
            session,
            brand.id,
            Programme.model_validate({"survey": {"quiet_hours": None}}),
            actor=cli_actor(brand.id),
        )
    base = f"http://127.0.0.1:{port}"
    providers: dict[str, Provider] = {
        "sendgrid": SendGrid(context.tokens, api_key="none", base_url=base),
        "single": Single(context.tokens, api_key="none", base_url=base),
        "nowhere": Nowhere(),
    }
    counts = {
        "sendgrid": arguments.messages,
        "single": max(arguments.messages // 10, 1_000),
        "nowhere": arguments.messages,
    }
    # As a worker does at its start.
    tune_garbage_collector()
    rounds: dict[str, list[Measured]] = {name: [] for name in providers}
    for _ in range(arguments.rounds):
        for name, provider in providers.items():
            await fill_queue(context, brand, shop, counts[name])
            rounds[name].append(await round_of(context, home, provider, counts[name]))
    fine = report(rounds)
    if arguments.memory:
        fine = (
            report_memory(
                await memory(context, brand, shop, providers["sendgrid"], arguments.memory), arguments.memory
            )
            and fine
        )
    for provider in providers.values():
        await provider.close()
    await engine.dispose()
    return fine


def report(rounds: dict[str, list[Measured]]) -> bool:
    middle = {name: statistics.median(one.rate for one in each) for name, each in rounds.items()}
    for name, each in rounds.items():
        worker, database = (
            statistics.median(costs)
            for costs in zip(*((one.worker, one.database) for one in each), strict=True)
        )
        rates = ", ".join(f"{one.rate:,.0f}" for one in each)
        print(f"{name:>9}: {middle[name]:>8,.0f} messages/s   ({rates})")
        print(f"{'':>9}  processor µs a message: worker {worker:.0f}, database {database:.0f}")
    ratio = middle["sendgrid"] / middle["single"]
    print(f"batches of 1,000 against one a call: {ratio:.1f}x (wanted {TARGET_OF_SINGLE:.0f}x)")
    print(f"against {TARGET:,} a second on two idle cores: {middle['sendgrid'] / TARGET:.2f}x")
    # The rate depends on the machine as well; the ratios depend on the code alone.
    return ratio >= TARGET_OF_SINGLE


def report_memory(seen: Sequence[float], count: int) -> bool:
    growth = seen[-1] / seen[0]
    print(
        f"memory over {count:,} messages: {seen[0]:.0f} MB after a tenth, {seen[-1]:.0f} MB at the end: {growth:.2f}x (wanted {FLAT}x)"
    )
    return growth <= FLAT


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, default=0, help="messages of the memory run; 0 leaves it out")
    arguments = parser.parse_args()
    configure_logs(LogFormat.json, level=40)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=sink, args=(port,), daemon=True)
    process.start()
    wait_for(port)
    with tempfile.TemporaryDirectory() as home:
        url = start_embedded(Path(home))
        try:
            asyncio.run(migrate(url))
            fine = uvloop.run(measure(url, Path(home), port, arguments))
        finally:
            stop_embedded(Path(home))
            process.terminate()
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
