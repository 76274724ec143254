"""How long a promoter waits for the code while a backlog of surveys goes out.

The real web and the real worker, each a process of its own over an embedded PostgreSQL. A sink in
another process stands for SendGrid and takes 100 ms for each call. Customers of two brands answer
with 10, in turn, each through the survey's page: first while nothing else is to be done, then while
a backlog of due surveys of one of the brands is planned and sent. A wait ends when the sink has
accepted the offer. The run ends once all have their offers, whatever is left of the backlog: it is
to be longer than the answers take, or the figures would be those of an idle queue.

Prints the percentiles of each brand, the ratio to the waits before the backlog, how fast the
backlog went meanwhile, and the processor time a survey.

Run: uv run python benchmarks/urgent.py [--surveys 150000] [--answers 60]
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from uuid import UUID

import aiohttp
import orjson
from aiohttp import web
from filled_brand import add_planned_surveys, fill, open_surveys
from pages import free_ports, started, until_ready
from processor import database_seconds, process_seconds
from sqlalchemy import update

from app.base import clock, due
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import COMMAND
from app.base.embedded import stop_embedded
from app.base.ids import new_id
from app.base.pools import command_pools
from app.base.schema import migrate
from app.brands.add import add_brand, add_shop, change_programme
from app.brands.models import Brand
from app.brands.programme import Programme
from app.surveys.models import Survey
from app.surveys.rules import SurveyStatus
from app.wiring import open_parts

TARGET_MS = 200
CALL_SECONDS = 0.1
PAUSE_SECONDS = 0.1
"""Between two answers."""
WARM = 5
"""First answers of each brand, which open connections and prepare statements; not counted."""


def sink(port: int, sent: "Synchronized[int]", file: Path) -> None:
    """SendGrid as far as sending needs it; writes who got a message alone in its call, and when.

    Surveys go out many a call, offers alone or few.
    """
    lines = file.open("a", buffering=1)

    async def mail(request: web.Request) -> web.Response:
        people = orjson.loads(await request.read())["personalizations"]
        await asyncio.sleep(CALL_SECONDS)
        with sent.get_lock():
            sent.value += len(people)
        if len(people) < 20:
            at = time.time()
            for person in people:
                lines.write(f"{person['to'][0]['email']} {at}\n")
        return web.Response(status=202, headers={"X-Message-Id": new_id().hex})

    app = web.Application(client_max_size=40 * 1024 * 1024)
    app.router.add_post("/v3/mail/send", mail)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


async def make_brand(context: AppContext, slug: str, answers: int, due: int) -> Brand:
    """A brand with open surveys to answer, and a backlog of due ones."""
    async with context.sessions.begin() as session:
        brand = await add_brand(session, slug, name=slug.title(), postal_address="1 Main St")
        shop, _ = await add_shop(
            session, context.tokens, brand, slug, name="Bench", actor=cli_actor(brand.id)
        )
        # Surveys leave whatever the time of day of the run is.
        programme = Programme.model_validate({"survey": {"quiet_hours": None}})
        await change_programme(session, brand.id, programme, actor=cli_actor(brand.id))
    await fill(context, brand, shop, 3 * answers)
    if due:
        await add_planned_surveys(context, brand, shop, 3 * answers, due)
    return brand


async def answer_all(
    base: str, context: AppContext, brands: Sequence[Brand], surveys: Sequence[UUID]
) -> dict[tuple[int, str], float]:
    """Answer surveys of the brands in turn; returns when each answer was begun."""
    began: dict[tuple[int, str], float] = {}
    async with aiohttp.ClientSession() as session:
        for place, survey_id in enumerate(surveys):
            for brand in brands:
                token = context.tokens.link("survey", brand.id, survey_id)
                at = time.time()
                async with session.post(
                    f"{base}/s/{token}", data={"score": "10"}, allow_redirects=False
                ) as response:
                    if response.status != 303:
                        raise SystemExit(f"an answer got {response.status}")
                if place >= WARM:
                    began[brand.id, address_of(survey_id)] = at
                await asyncio.sleep(PAUSE_SECONDS)
    return began


def address_of(survey_id: UUID) -> str:
    return f"person{survey_id.int}@example.com"


async def until(sent: "Synchronized[int]", count: int) -> None:
    """Wait until so many messages were sent."""
    async with asyncio.timeout(120):
        while sent.value < count:
            await asyncio.sleep(0.05)


async def until_offered(file: Path, offers: int) -> None:
    """Wait until so many offers were accepted."""
    async with asyncio.timeout(120):
        while len({line.split()[0] for line in file.read_text().splitlines()}) < offers:
            await asyncio.sleep(0.2)


@dataclass
class Waits:
    """Milliseconds from an answer to its offer's acceptance, by brand."""

    idle: dict[str, list[float]]
    busy: dict[str, list[float]]


async def measure(
    context: AppContext, base: str, file: Path, sent: "Synchronized[int]", surveys: int, answers: int
) -> Waits:
    each_time = answers + WARM
    brands = [
        await make_brand(context, "busy", 2 * each_time, surveys),
        await make_brand(context, "other", 2 * each_time, 0),
    ]
    home = Path(os.environ["TENFOLD_HOME"])
    opened = open_surveys(6 * each_time)
    with (
        started(["tenfold", "web", "--port", base.rpartition(":")[2]]),
        started(["tenfold", "worker"]) as worker,
    ):
        await until_ready(f"{base}/readyz")
        await asyncio.sleep(4)
        idle = await answer_all(base, context, brands, opened[:each_time])
        offers = 2 * each_time
        await until(sent, offers)
        await make_due(context)
        await until(sent, offers + min(1_000, surveys // 10))
        begun, began_at = sent.value, time.time()
        used, database = process_seconds(worker), database_seconds(home)
        busy = await answer_all(base, context, brands, opened[each_time:])
        done, took = sent.value - begun, time.time() - began_at
        used, database = process_seconds(worker) - used, database_seconds(home) - database
        if sent.value >= offers + surveys:
            raise SystemExit("the backlog was sent before all had answered; raise --surveys")
        await until_offered(file, 2 * offers)
    print(
        f"{surveys:,} surveys, a call takes {CALL_SECONDS * 1000:.0f} ms: {done:,} messages in {took:.0f} s while answers "
        f"came, {done / took:,.0f}/s; processor µs each: worker {used / done * 1e6:.0f}, database {database / done * 1e6:.0f}"
    )
    accepted = dict(reversed([line.split() for line in file.read_text().splitlines()]))
    return Waits(*(waits_of(each, accepted, brands) for each in (idle, busy)))


async def make_due(context: AppContext) -> None:
    """Make the planned surveys due now, and wake their sweep."""
    async with context.sessions.begin() as session:
        await session.execute(
            update(Survey).where(Survey.status == SurveyStatus.planned).values(due_at=clock.now())
        )
        await due.wake(session, "surveys")


def waits_of(
    began: Mapping[tuple[int, str], float], accepted: Mapping[str, str], brands: Sequence[Brand]
) -> dict[str, list[float]]:
    slugs = {brand.id: brand.slug for brand in brands}
    waits: dict[str, list[float]] = {slug: [] for slug in slugs.values()}
    for (brand_id, address), at in began.items():
        name = slugs[brand_id]
        waits[name].append((float(accepted[f"{name}.{address}"]) - at) * 1000)
    return {name: sorted(each) for name, each in waits.items()}


def report(waits: Waits) -> bool:
    """Print the figures; whether the target is met."""
    met = True
    for name, busy in waits.busy.items():
        idle = waits.idle[name]
        half, nearly_all = percentile(busy, 0.5), percentile(busy, 0.99)
        met = met and nearly_all <= TARGET_MS
        print(
            f"{name:5} brand: {len(busy)} answers; to offer accepted p50 {half:.0f} ms, p99 {nearly_all:.0f} ms; "
            f"before the backlog p50 {percentile(idle, 0.5):.0f} ms, p99 {percentile(idle, 0.99):.0f} ms; "
            f"ratio of p50 {half / percentile(idle, 0.5):.2f}, of p99 {nearly_all / percentile(idle, 0.99):.2f}"
        )
    print(f"target p99 of {TARGET_MS} ms: {'met' if met else 'missed'}")
    return met


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]


async def run(base: str, file: Path, sent: "Synchronized[int]", surveys: int, answers: int) -> bool:
    async with open_parts(load_settings(_env_file=None), pools=command_pools(10), limits=COMMAND) as parts:
        await migrate(parts.context.database_url)
        return report(await measure(parts.context, base, file, sent, surveys, answers))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--surveys", type=int, default=150_000)
    parser.add_argument("--answers", type=int, default=60)
    arguments = parser.parse_args()
    port, sink_port = free_ports()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        home, file = Path(folder) / "home", Path(folder) / "accepted"
        sent: Synchronized[int] = multiprocessing.Value("l", 0)
        receiver = multiprocessing.Process(target=sink, args=(sink_port, sent, file), daemon=True)
        receiver.start()
        os.environ.update(
            {
                "TENFOLD_HOME": str(home),
                "TENFOLD_PUBLIC_URL": base,
                "TENFOLD_EMAIL_PROVIDER": "sendgrid",
                "TENFOLD_EMAIL_FROM": "bench@example.com",
                "TENFOLD_SENDGRID_API_KEY": "SG.bench",
                "TENFOLD_SENDGRID_BASE_URL": f"http://127.0.0.1:{sink_port}",
            }
        )
        try:
            met = asyncio.run(run(base, file, sent, arguments.surveys, arguments.answers))
        finally:
            stop_embedded(home)
            receiver.terminate()
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
