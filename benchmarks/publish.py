"""How long a promoter of a connected shop waits: from the answer until the code is in the shop and
the mail with it is accepted.

The real web and the real worker, each a process of its own over an embedded PostgreSQL, with the
outbox as the provider. The fake of Shopify takes 100 ms for each call and has the limit on calls of
the standard plan. Answers come one after the other through the survey's page: with a code that
lies ready, with one that is made for the answer, and with such ones while thousands of codes are
published as bulk work.

Run: uv run python benchmarks/publish.py [--answers 100] [--bulk 50000]
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from activation import read_waits, respond_all, send_surveys
from aiohttp import web
from pages import free_ports, started
from sqlalchemy import func, select, text

from app.base import clock
from app.base.actor import cli_actor
from app.base.config import load_settings
from app.base.context import AppContext
from app.base.db import COMMAND
from app.base.embedded import stop_embedded
from app.base.pools import command_pools
from app.base.schema import migrate
from app.brands.add import change_programme
from app.brands.find import find_shop
from app.brands.models import ProgrammeVersion
from app.brands.programme import Programme
from app.brands.rules import Platform
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop
from app.platforms.connection_types import Connection
from app.platforms.connections import save_connection
from app.platforms.models import ShopConnection
from app.referrals.publishing.models import CodePublication
from app.referrals.publishing.pool import REFILLED_BELOW
from app.referrals.rules import PublicationState
from app.wiring import Parts, open_parts

CALL_SECONDS = 0.1
POOL_MS = 500
HALF_MS = 1_000
NEARLY_ALL_MS = 3_000
PAUSE_SECONDS = 0.5
"""Between two answers: what is measured is the wait of one promoter, not how many a worker can
serve."""
WARM = 3
"""First answers of each kind; not counted."""
# Like the newest of the pool, under the terms in force: what waits under others is deleted.
_BULK = text("""
    INSERT INTO code_publications (brand_id, code_id, shop_id, code, terms_id, expires_at, state, urgent, due_at,
                                   attempt, trial)
    SELECT brand_id, gen_random_uuid(), shop_id, upper(substr(md5(n::text), 1, 12)), terms_id, expires_at, 'wanted',
           false, now(), 0, false
    FROM generate_series(1, :count) AS n,
         (SELECT * FROM code_publications WHERE state = 'live' AND issued_id IS NULL
          ORDER BY live_at DESC LIMIT 1) AS like_this
""")


async def slow(_request: web.Request) -> None:
    """Let each call take its time."""
    await asyncio.sleep(CALL_SECONDS)


async def connect(parts: Parts, brand_id: int, fake: FakeShopify, remote: FakeShop) -> None:
    connection = Connection(fake.account(remote), {"access_token": fake.add_custom_token(remote)})
    async with parts.context.sessions.begin() as session:
        found = await find_shop(session, "bench")
        if found is None:
            raise SystemExit("the shop is not there")
        actor, tokens = cli_actor(brand_id), parts.context.tokens
        await save_connection(
            session, tokens, brand_id, found[1].id, connection, actor=actor, now=clock.now()
        )


async def name_codes(context: AppContext, brand_id: int) -> None:
    """Codes are made for each promoter from now on."""
    terms = {"survey": {"quiet_hours": None}, "offer": {"code_style": "named"}}
    async with context.sessions.begin() as session:
        await change_programme(session, brand_id, Programme.model_validate(terms), actor=cli_actor(brand_id))


async def until_checked(context: AppContext) -> None:
    """Wait for the first check of the connection: rewards may become credit by it, by new terms."""
    for _ in range(240):
        async with context.sessions() as session:
            if await session.scalar(select(ShopConnection.checked_at)) is not None:
                return
        await asyncio.sleep(0.5)
    raise SystemExit("the connection was not checked")


async def live_codes(context: AppContext) -> int:
    """How many are live under the terms in force."""
    newest = select(ProgrammeVersion.terms_id).order_by(ProgrammeVersion.version.desc()).limit(1)
    query = select(func.count()).where(
        CodePublication.state == PublicationState.live,
        CodePublication.terms_id == newest.scalar_subquery(),
    )
    async with context.sessions() as session:
        return await session.scalar(query) or 0


async def until_live(context: AppContext, count: int, *, seconds: float) -> float:
    """Seconds until that many codes are live; says each minute how many there are."""
    began = said = time.monotonic()
    while (live := await live_codes(context)) < count:
        now = time.monotonic()
        if now - began > seconds:
            raise SystemExit(f"{live} of {count} codes are live after {seconds:.0f} s")
        if now - said >= 60:
            said = now
            print(f"{live} of {count} codes are live after {now - began:.0f} s", flush=True)
        await asyncio.sleep(0.5)
    return time.monotonic() - began


async def waits_of(parts: Parts, base: str, brand_id: int, surveys: Sequence[UUID]) -> list[float]:
    """Milliseconds from each answer to its mail, the first few left out, the shortest first."""
    await respond_all(parts, base, brand_id, surveys[:WARM], pause=PAUSE_SECONDS)
    began, _ = await respond_all(parts, base, brand_id, surveys[WARM:], pause=PAUSE_SECONDS)
    for _ in range(120):
        waits = await read_waits(parts.context, brand_id, began)
        if len(waits) == len(began):
            return waits
        await asyncio.sleep(0.5)
    raise SystemExit(f"{len(waits)} offers for {len(began)} answers")


def report(what: str, waits: Sequence[float], half_ms: float | None, nearly_all_ms: float) -> bool:
    half, nearly_all = (waits[int(len(waits) * share)] for share in (0.5, 0.99))
    is_met = nearly_all <= nearly_all_ms and (half_ms is None or half <= half_ms)
    targets = (
        f"p99 {nearly_all_ms:.0f} ms" if half_ms is None else f"p50 {half_ms:.0f}, p99 {nearly_all_ms:.0f} ms"
    )
    print(
        f"{what}: p50 {half:.0f} ms, p99 {nearly_all:.0f} ms, most {waits[-1]:.0f} ms; target {targets}:"
        f" {'met' if is_met else 'missed'}",
        flush=True,
    )
    return is_met


async def measure(parts: Parts, base: str, answers: int, bulk: int) -> bool:
    context, remote = parts.context, FakeShop("bench.myshopify.com")
    each = answers + WARM
    brand_id, surveys = await send_surveys(parts, base, 3 * each, platform=Platform.shopify)
    async with FakeShopify(remote) as fake:
        fake.intercept = slow
        await connect(parts, brand_id, fake, remote)
        with started(["tenfold", "worker"]):
            await until_checked(context)
            await until_live(context, REFILLED_BELOW, seconds=300)
            waits = await waits_of(parts, base, brand_id, surveys[:each])
            is_met = report("code that lies ready", waits, None, POOL_MS)
            await name_codes(context, brand_id)
            await asyncio.sleep(40)  # the new terms have a pool of their own
            waits = await waits_of(parts, base, brand_id, surveys[each : 2 * each])
            is_met &= report("code made for the answer", waits, HALF_MS, NEARLY_ALL_MS)
            if bulk:
                is_met &= await measure_bulk(parts, base, brand_id, surveys[2 * each :], bulk)
    return is_met


async def measure_bulk(parts: Parts, base: str, brand_id: int, surveys: Sequence[UUID], bulk: int) -> bool:
    """Answers while thousands of codes are published."""
    before = await live_codes(parts.context)
    async with parts.context.sessions.begin() as session:
        await session.execute(_BULK, {"count": bulk})
    began = time.monotonic()
    publishing = asyncio.create_task(until_live(parts.context, before + bulk, seconds=1800))
    waits = await waits_of(parts, base, brand_id, surveys)
    done = (await live_codes(parts.context)) - before
    is_met = report(f"the same beside bulk work ({done} of {bulk} codes done)", waits, HALF_MS, NEARLY_ALL_MS)
    await publishing
    seconds = time.monotonic() - began
    print(f"{bulk} codes as bulk work: {seconds:.0f} s, {bulk / seconds:.0f} codes/s")
    return is_met


async def run(base: str, answers: int, bulk: int) -> bool:
    async with open_parts(load_settings(_env_file=None), pools=command_pools(10), limits=COMMAND) as parts:
        await migrate(parts.context.database_url)
        port = base.rpartition(":")[2]
        with started(["tenfold", "web", "--port", port]):
            return await measure(parts, base, answers, bulk)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=100)
    parser.add_argument("--bulk", type=int, default=50_000)
    given = parser.parse_args()
    port, _ = free_ports()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        os.environ.update(
            {"TENFOLD_HOME": str(home), "TENFOLD_PUBLIC_URL": base, "TENFOLD_LOCAL_PLATFORMS": "true"}
        )
        try:
            is_met = asyncio.run(run(base, given.answers, given.bulk))
        finally:
            stop_embedded(home)
    sys.exit(0 if is_met else 1)


if __name__ == "__main__":
    main()
