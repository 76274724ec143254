"""What hangs holds up itself alone: a locked row, a frozen worker, a dead or a full server, half a
request, a killed parent. Real processes, signals and sockets."""

import asyncio
import base64
import hmac
import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from app.base.actor import cli_actor
from app.base.config import embedded_secret_key, load_settings
from app.base.db import COMMAND
from app.base.embedded import start_embedded, stop_embedded
from app.base.pools import Pools
from app.base.schema import migrate
from app.brands.add import add_brand, add_shop
from app.wiring import open_context
from tests.support.constants import SECRET
from tests.support.processes import start

pytestmark = pytest.mark.slow

NUMBERS = count(1)
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%'"
DATABASE_PATHS = ("/readyz", "/metrics")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@dataclass(frozen=True)
class Place:
    """A home with a server of its own, and a web process over it."""

    home: Path
    url: str
    port: int

    @property
    def environment(self) -> dict[str, str]:
        return {"TENFOLD_HOME": str(self.home)}


@dataclass(frozen=True)
class TwoBrands:
    """Shops of two brands, with one order each of the same person."""

    locked: str
    free: str
    ids: dict[str, int]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="tenfold-hangs-") as folder, socket.socket() as probe:
        home = Path(folder) / "home"
        url = start_embedded(home)
        asyncio.run(migrate(url))
        embedded_secret_key(home)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        web = start("web", "--port", str(port), environment={"TENFOLD_HOME": str(home)})
        deadline = time.monotonic() + 60
        while not _listens(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Place(home, url, port)
        web.terminate()
        web.join(30)
        stop_embedded(home)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def brands(place: Place) -> TwoBrands:
    settings = load_settings(_env_file=None, home=place.home)
    slugs = [f"locked{next(NUMBERS)}", f"free{next(NUMBERS)}"]
    ids = {}
    async with (
        open_context(settings, pools=Pools(2), limits=COMMAND) as context,
        context.sessions.begin() as session,
    ):
        for slug in slugs:
            brand = await add_brand(session, slug, name=slug)
            await add_shop(
                session,
                context.tokens,
                brand,
                slug,
                name=slug,
                webhook_secret=SECRET,
                actor=cli_actor(brand.id),
            )
            ids[slug] = brand.id
    return TwoBrands(slugs[0], slugs[1], ids)


async def post(place: Place, shop: str) -> httpx2.Response:
    number = next(NUMBERS)
    data = {
        "id": f"o{number}",
        "placed_at": "2026-03-01T12:00:00Z",
        "currency": "EUR",
        "total": "20.00",
        "customer": {"email": "ana@x.example"},
    }
    body = json.dumps({"type": "order.paid", "timestamp": "2026-03-01T12:00:00Z", "data": data}).encode()
    at = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = hmac.digest(key, f"m{number}.{at}.".encode() + body, "sha256")
    headers = {
        "webhook-id": f"m{number}",
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }
    return await get(place, f"/hooks/{shop}/checkout", content=body, headers=headers)


async def get(place: Place, path: str, *, content: bytes | None = None, headers=None) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{place.port}", timeout=30) as client:
        return await client.request(
            "GET" if content is None else "POST", path, content=content, headers=headers
        )


@contextmanager
def worker(place: Place, *words: str) -> Iterator[psutil.Process]:
    process = start("worker", *words, environment=place.environment)
    try:
        yield psutil.Process(process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid or 0, signal.SIGCONT)
        process.terminate()
        process.join(60)
        process.kill()


@asynccontextmanager
async def connection(place: Place) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(place.url)
    try:
        yield made
    finally:
        await made.close()


async def until(is_so: Callable[[], Awaitable[object]], seconds: float = 30) -> float:
    """Wait until it is so; returns how long that took."""
    began = time.monotonic()
    while not await is_so():
        assert time.monotonic() - began < seconds
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def orders(asker: asyncpg.Connection, brand_id: int) -> int:
    return int(await asker.fetchval("SELECT count(*) FROM orders WHERE brand_id = $1", brand_id))


@asynccontextmanager
async def locked_customer(place: Place, brand_id: int) -> AsyncIterator[None]:
    async with connection(place) as locker, locker.transaction():
        await locker.execute("SELECT FROM customers WHERE brand_id = $1 FOR UPDATE", brand_id)
        yield


async def begin(place: Place, brands: TwoBrands, asker: asyncpg.Connection) -> None:
    """The first order of each brand is processed, so its customer exists."""
    for slug, brand_id in brands.ids.items():
        assert (await post(place, slug)).status_code == 200
        await until(lambda brand_id=brand_id: orders(asker, brand_id), 60)


async def test_one_locked_row_holds_up_no_other_brand_and_no_page(place, brands):
    async with connection(place) as asker:
        with worker(place):
            await begin(place, brands, asker)
            async with locked_customer(place, brands.ids[brands.locked]):
                assert (await post(place, brands.locked)).status_code == 200
                await until(lambda: asker.fetchval(WAITING))
                for total in (2, 3, 4):
                    assert (await post(place, brands.free)).status_code == 200
                    took = await until(
                        lambda total=total: is_equal(orders(asker, brands.ids[brands.free]), total)
                    )
                    assert took < 1.5
                    assert (await get(place, "/readyz")).status_code == 200
                assert await orders(asker, brands.ids[brands.locked]) == 1
            await until(lambda: is_equal(orders(asker, brands.ids[brands.locked]), 2))


async def is_equal(found: Awaitable[int], wanted: int) -> bool:
    return await found == wanted


async def test_a_worker_that_froze_in_a_transaction_holds_up_no_other_brand(place, brands):
    async with connection(place) as asker:
        with worker(place) as frozen:
            await begin(place, brands, asker)
            async with locked_customer(place, brands.ids[brands.locked]):
                assert (await post(place, brands.locked)).status_code == 200
                await until(lambda: asker.fetchval(WAITING))
                frozen.suspend()
            with worker(place):
                await until(lambda: is_equal(asker.fetchval(LISTENING), 2))
                assert (await post(place, brands.free)).status_code == 200
                took = await until(lambda: is_equal(orders(asker, brands.ids[brands.free]), 2))
                assert took < 5.5, "the frozen worker may have taken the wake-up, and nothing more"
                assert (await post(place, brands.locked)).status_code == 200
                assert await orders(asker, brands.ids[brands.locked]) == 1
                frozen.kill()
                await until(lambda: is_equal(orders(asker, brands.ids[brands.locked]), 3))


async def test_a_killed_server_is_503_on_every_route_until_a_worker_has_started_it_again(place, brands):
    with worker(place):
        async with connection(place) as asker:
            await begin(place, brands, asker)
            await until(lambda: asker.fetchval(LISTENING))
        server = int((place.home / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGKILL)
        answers = [await get(place, path) for path in DATABASE_PATHS]
        answers.append(await post(place, brands.free))
        assert [(each.status_code, "retry-after" in each.headers) for each in answers] == [(503, True)] * 3
        assert {each.headers["content-type"] for each in answers} == {"application/problem+json"}
        assert (await get(place, "/healthz")).status_code == 200
        await until(lambda: is_status(place, "/readyz", 200), 60)
        assert (await post(place, brands.free)).status_code == 200
        async with connection(place) as asker:
            await until(lambda: is_equal(orders(asker, brands.ids[brands.free]), 2))


async def is_status(place: Place, path: str, wanted: int) -> bool:
    return (await get(place, path)).status_code == wanted


async def test_a_server_without_a_free_connection_is_503_and_nothing_is_acknowledged(place, brands):
    async with connection(place) as killer:
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        taken = []
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(place.url))
        try:
            answers = [await get(place, path) for path in DATABASE_PATHS]
            answers.append(await post(place, brands.free))
        finally:
            for each in taken:
                await each.close()
        assert [(each.status_code, "retry-after" in each.headers) for each in answers] == [(503, True)] * 3
        assert (await post(place, brands.free)).status_code == 200
        stored = "SELECT count(*) FROM deliveries WHERE brand_id = $1"
        assert await killer.fetchval(stored, brands.ids[brands.free]) == 1


async def test_half_a_request_is_closed_after_ten_seconds(place):
    async def seconds_open(sent: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
        began = time.monotonic()
        writer.write(sent)
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return time.monotonic() - began

    head = b"POST /hooks/nobody/checkout HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
    times = await asyncio.gather(*(seconds_open(sent) for sent in (b"", head, head + b"\r\nhalf")))
    assert all(9 < each < 14 for each in times), times


async def test_the_processes_of_a_killed_parent_end(place):
    async with connection(place) as asker:
        with worker(place, "--processes", "2") as parent:
            await until(lambda: is_equal(asker.fetchval(LISTENING), 2), 60)
            children = parent.children()
            assert len(children) >= 2
            parent.kill()
            await until(lambda: all_gone(children), 20)


async def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)
