"""Answer → offer accepted: how long a promoter waits for the code, with an idle queue.

Runs the real web and worker as processes of their own over an embedded PostgreSQL, answers surveys one after the other through the
survey page, and reads from the outbox when each offer was accepted. Prints the percentiles and, as the ratio, how the wait compares
with the answer's own round trip.

    uv run python benchmarks/activation.py [answers]
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import aiohttp
from app.demo.client import ShopClient
from sqlalchemy import select

from app.base import clock, due, schema
from app.base.config import load_settings
from app.brands.add import add_brand, add_shop
from app.messaging.models import Attempt, Message, OutboxItem
from app.messaging.rules import Template
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from app.wiring import open_parts
from app.worker import sweeps_of

PORT = 8765
PAUSE_SECONDS = 0.15
"""Between two answers, so that the queue is idle when one comes."""


def order(number: int, when: str) -> dict[str, object]:
    """A paid order of a customer of its own."""
    return {
        "id": f"o{number}",
        "number": str(number),
        "placed_at": when,
        "currency": "EUR",
        "subtotal": "80.00",
        "total": "80.00",
        "discount_total": "0.00",
        "customer": {"email": f"person{number}@example.com", "first_name": "Ana", "country": "FR"},
        "items": [{"sku": "A", "title": "Linen shirt", "quantity": 1, "unit_price": "80.00"}],
    }


async def main(answers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        environment = os.environ | {"TENFOLD_HOME": folder, "TENFOLD_PUBLIC_URL": f"http://127.0.0.1:{PORT}"}
        os.environ.update(environment)
        settings = load_settings(_env_file=None)
        async with open_parts(settings) as parts:
            await schema.migrate(parts.ground.database_url)
            await measure(parts, environment, answers)


async def measure(parts, environment, answers: int) -> None:
    ground = parts.ground
    async with ground.sessions.begin() as session:
        brand = await add_brand(session, "bench", name="Bench")
        _, secret = await add_shop(session, ground.tokens, brand, "bench", name="Bench")
    web = subprocess.Popen(["tenfold", "web", "--port", str(PORT)], env=environment)
    worker = None
    try:
        async with aiohttp.ClientSession() as http:
            await until_ready(http)
            shop = ShopClient(http, f"http://127.0.0.1:{PORT}", "bench", secret)
            when = (clock.now() - timedelta(days=5)).isoformat()
            for number in range(answers):
                await shop.send("order.paid", order(number, when))
                await shop.send("order.delivered", {"order_id": f"o{number}", "at": when})
            moment = clock.now().replace(hour=12)
            await due.run_until_idle(sweeps_of(parts), moment)
            async with ground.sessions() as session:
                surveys = list(await session.scalars(select(Survey.id).where(Survey.status == SurveyStatus.sent)))
            assert len(surveys) == answers, f"{len(surveys)} of {answers} surveys were sent"
            worker = subprocess.Popen(["tenfold", "worker"], env=environment)
            await asyncio.sleep(4)
            sent, trips = [], []
            for survey_id in surveys:
                token = ground.tokens.link("survey", brand.id, survey_id)
                began = time.time()
                async with http.post(f"http://127.0.0.1:{PORT}/s/{token}", data={"score": "10"}, allow_redirects=False) as answer:
                    assert answer.status == 303, answer.status
                trips.append(time.time() - began)
                sent.append((survey_id, began))
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(3)
        waits = await read_waits(ground, brand.id, dict(sent))
    finally:
        web.terminate()
        if worker is not None:
            worker.terminate()
            worker.wait()
        web.wait()
    report(waits, trips, answers)


async def until_ready(http) -> None:
    for _ in range(100):
        try:
            async with http.get(f"http://127.0.0.1:{PORT}/readyz") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit("the web did not start")


async def read_waits(ground, brand_id: int, began: dict) -> list[float]:
    async with ground.sessions() as session:
        rows = await session.execute(
            select(Survey.id, OutboxItem.created_at)
            .join(Message, (Message.brand_id == Survey.brand_id) & (Message.customer_id == Survey.customer_id))
            .join(Attempt, (Attempt.brand_id == Message.brand_id) & (Attempt.message_id == Message.id))
            .join(OutboxItem, (OutboxItem.brand_id == Attempt.brand_id) & (OutboxItem.id == Attempt.id))
            .where(Survey.brand_id == brand_id, Message.template == Template.offer)
        )
        return sorted((at.timestamp() - began[survey]) * 1000 for survey, at in rows if survey in began)


def report(waits: list[float], trips: list[float], answers: int) -> None:
    assert len(waits) == answers, f"{len(waits)} offers for {answers} answers"
    trip = statistics.median(trips) * 1000
    at = lambda share: waits[min(len(waits) - 1, int(len(waits) * share))]  # noqa: E731
    print(f"answers {answers}, one at a time; answer's round trip p50 {trip:.1f} ms")
    print(f"answer → offer accepted: p50 {at(0.5):.0f} ms, p95 {at(0.95):.0f} ms, p99 {at(0.99):.0f} ms, max {waits[-1]:.0f} ms")
    print(f"ratio p50 wait / round trip {at(0.5) / trip:.2f}; target p99 ≤ 500 ms: {'met' if at(0.99) <= 500 else 'MISSED'}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
