"""How long a promoter waits for the code: from the response to the offer's acceptance.

The queue is otherwise empty. The real web and the real worker, each a process of its own over an
embedded PostgreSQL, with the outbox as the provider. Surveys get their responses one after the
other through their page; when each offer was accepted is read from the outbox.

Run: uv run python benchmarks/activation.py [--answers 200]
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from sqlalchemy import select

from app.base import clock, due
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import WORKER
from app.base.embedded import stop_embedded
from app.base.pools import worker_pools
from app.base.schema import migrate
from app.brands.add import add_brand, add_shop, change_programme
from app.brands.programme import Programme
from app.brands.rules import Platform
from app.demo.client import DemoClient
from app.messaging.models import Attempt, Message, OutboxItem
from app.referrals.templates import OFFER
from app.surveys.models import Survey
from app.surveys.rules import OPEN
from app.wiring import Parts, open_parts
from app.worker import sweeps_of

TARGET_MS = 500
START_SECONDS = 300
PAUSE_SECONDS = 0.15
"""Between two responses, so that the queue is idle when one comes."""
WARM = 5
"""First responses, which open connections and prepare statements; they are not counted."""


def order(number: int, at: str) -> dict[str, Any]:
    """A paid order of a customer of its own."""
    data = {
        "id": f"o{number}",
        "number": str(number),
        "placed_at": at,
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "80.00",
        "customer": {"email": f"person{number}@example.com", "first_name": "Ana", "country": "FR"},
        "items": [{"sku": "A", "title": "Linen shirt", "quantity": 1, "unit_price": "80.00"}],
    }
    return {"type": "order.paid", "timestamp": at, "data": data}


def delivered(number: int, at: str) -> dict[str, Any]:
    """The event that it was delivered."""
    return {"type": "order.delivered", "timestamp": at, "data": {"order_id": f"o{number}", "at": at}}


async def send_surveys(
    parts: Parts, base: str, count: int, *, platform: Platform = Platform.checkout
) -> tuple[int, list[UUID]]:
    """A brand whose `count` customers all have a survey; returns the brand and the surveys."""
    context = parts.context
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench")
        _, secret = await add_shop(
            session,
            context.tokens,
            brand,
            "bench",
            name="Bench",
            actor=cli_actor(brand.id),
            platform=platform,
        )
        # Surveys leave whatever the time of day of the run is.
        await change_programme(
            session,
            brand.id,
            Programme.model_validate({"survey": {"quiet_hours": None}}),
            actor=cli_actor(brand.id),
        )
    shop = DemoClient(base, shop="bench", secret=secret)
    try:
        await until_ready(base)
        at = (clock.now() - timedelta(days=5)).isoformat()
        await shop.deliver([(f"paid-{number}", order(number, at)) for number in range(count)])
        await shop.deliver([(f"come-{number}", delivered(number, at)) for number in range(count)])
    finally:
        await shop.close()
    await due.run_until_idle(sweeps_of(parts), clock.now())
    async with context.sessions() as session:
        found = await session.scalars(
            select(Survey.id).where(Survey.brand_id == brand.id, Survey.status.in_(OPEN))
        )
        surveys = list(found)
    if len(surveys) != count:
        raise SystemExit(f"{len(surveys)} of {count} surveys were sent")
    return brand.id, surveys


async def until_ready(base: str) -> None:
    """Wait for the web; a machine that is busy takes a minute and more to start it."""
    began, said, last = time.monotonic(), 0.0, "nothing listens"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while (waited := time.monotonic() - began) < START_SECONDS:
            try:
                async with session.get(f"{base}/readyz") as response:
                    if response.status == 200:
                        return
                    last = f"{response.status}: {(await response.text())[:200]}"
            except (aiohttp.ClientError, TimeoutError) as error:
                last = type(error).__name__
            if waited - said >= 10:
                said = waited
                print(f"waiting for the web since {waited:.0f} s ({last})", flush=True)
            await asyncio.sleep(0.2)
    raise SystemExit(f"the web did not start within {START_SECONDS} s ({last})")


async def respond_all(
    parts: Parts, base: str, brand_id: int, surveys: Sequence[UUID], *, pause: float = PAUSE_SECONDS
) -> tuple[dict[UUID, float], list[float]]:
    """Respond to one survey after the other with a ten.

    Returns when each response was begun, and the seconds until the thanks page came.
    """
    began, trips = {}, []
    customer = DemoClient(base, shop="bench", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    try:
        for survey_id in surveys:
            token = parts.context.tokens.link("survey", brand_id, survey_id)
            began[survey_id] = time.time()
            trips += await customer.respond([(token, 10, "")])
            await asyncio.sleep(pause)
    finally:
        await customer.close()
    return began, trips


async def read_waits(context: AppContext, brand_id: int, began: Mapping[UUID, float]) -> list[float]:
    """Milliseconds from each response to its offer's acceptance, by this machine's clock."""
    accepted = (
        select(Survey.id, OutboxItem.created_at)
        .join(Message, (Message.brand_id == Survey.brand_id) & (Message.customer_id == Survey.customer_id))
        .join(Attempt, (Attempt.brand_id == Message.brand_id) & (Attempt.message_id == Message.id))
        .join(OutboxItem, (OutboxItem.brand_id == Attempt.brand_id) & (OutboxItem.id == Attempt.id))
        .where(Survey.brand_id == brand_id, Message.template == OFFER.name)
    )
    async with context.sessions() as session:
        rows = (await session.execute(accepted)).all()
    return sorted((at.timestamp() - began[survey_id]) * 1000 for survey_id, at in rows if survey_id in began)


async def measure(parts: Parts, base: str, environment: Mapping[str, str], answers: int) -> bool:
    brand_id, surveys = await send_surveys(parts, base, answers + WARM)
    worker = subprocess.Popen(
        ["tenfold", "worker"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await asyncio.sleep(4)
        await respond_all(parts, base, brand_id, surveys[:WARM])
        began, trips = await respond_all(parts, base, brand_id, surveys[WARM:])
        await asyncio.sleep(3)
        waits = await read_waits(parts.context, brand_id, began)
    finally:
        worker.terminate()
        worker.wait()
    if len(waits) != answers:
        raise SystemExit(f"{len(waits)} offers for {answers} answers")
    return report(waits, trips)


def report(waits: Sequence[float], trips: Sequence[float]) -> bool:
    trip = statistics.median(trips) * 1000
    half, most, nearly_all = (waits[int(len(waits) * share)] for share in (0.5, 0.95, 0.99))
    print(f"{len(waits)} answers, one at a time; the answer's own round trip: median {trip:.1f} ms")
    print(
        f"answer to offer accepted: p50 {half:.0f} ms, p95 {most:.0f} ms, p99 {nearly_all:.0f} ms, most {waits[-1]:.0f} ms"
    )
    met = nearly_all <= TARGET_MS
    print(
        f"wait / round trip = {half / trip:.1f}   target p99 of {TARGET_MS} ms: {'met' if met else 'missed'}"
    )
    return met


async def run(base: str, environment: Mapping[str, str], answers: int) -> bool:
    async with open_parts(load_settings(_env_file=None), pools=worker_pools(10), limits=WORKER) as parts:
        await migrate(parts.context.database_url)
        port = base.rpartition(":")[2]
        web = subprocess.Popen(
            ["tenfold", "web", "--port", port],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return await measure(parts, base, environment, answers)
        finally:
            web.terminate()
            web.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=200)
    answers = parser.parse_args().answers
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ.update({"TENFOLD_HOME": str(home), "TENFOLD_PUBLIC_URL": base})
        try:
            met = asyncio.run(run(base, dict(os.environ), answers))
        finally:
            stop_embedded(home)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
