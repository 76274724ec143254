"""The embedded server is killed while it sends, and its home is replaced by an older copy."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from app.base.actor import cli_actor
from app.base.config import embedded_secret_key, load_settings
from app.base.context import AppContext
from app.base.db import COMMAND
from app.base.embedded import start_embedded, stop_embedded
from app.base.ids import new_id
from app.base.pools import Pools
from app.base.schema import migrate
from app.brands.add import add_brand, add_shop
from app.brands.find import load_brand, load_shops
from app.brands.models import Brand, Shop
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.identify import identify
from app.customers.person import Person
from app.customers.rules import SuppressionReason
from app.messaging.queue import NewMessage, queue_messages
from app.surveys.templates import SURVEY
from app.wiring import open_context
from tests.support.constants import NOW
from tests.support.factories.messages import GRACE, SURVEY_PARAMS
from tests.support.fakes.sendgrid import KEY, FakeSendGrid
from tests.support.fakes.server import Fault

pytestmark = pytest.mark.slow(seconds=50)
TENFOLD = Path(sys.executable).parent / "tenfold"
WAVE = 10


@dataclass
class Home:
    """A home with an embedded server; messages go to a provider that outlives it."""

    path: Path
    provider: FakeSendGrid

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "TENFOLD_HOME": str(self.path),
            "TENFOLD_EMAIL_PROVIDER": "sendgrid",
            "TENFOLD_SENDGRID_API_KEY": KEY,
            "TENFOLD_SENDGRID_BASE_URL": self.provider.url,
            "TENFOLD_EMAIL_FROM": "hello@acme.example",
        }

    async def run(self, *words: str, code: int = 0) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [TENFOLD, *words],
            env=self.environment,
            cwd=self.path,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [TENFOLD, *words],
            env=self.environment,
            cwd=self.path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_server(self) -> None:
        """SIGKILL to the server; its children end by themselves."""
        data = self.path / "postgres"
        server = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        family = [server, *server.children(recursive=True)]
        os.kill(server.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=30)
        assert not alive

    def copy(self, to: Path) -> None:
        """The data directory with its owner, as a person copies it."""
        subprocess.run(["cp", "-a", self.path / "postgres", to], check=True)

    def replace_by(self, copy: Path) -> None:
        shutil.rmtree(self.path / "postgres")
        subprocess.run(["cp", "-a", copy, self.path / "postgres"], check=True)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AppContext]:
        """Its database, and the server stopped afterwards unless a command uses it."""
        settings = load_settings(_env_file=None, home=self.path)
        async with open_context(settings, pools=Pools(2), limits=COMMAND) as context:
            yield context
        stop_embedded(self.path)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with FakeSendGrid() as provider:
        home = Home(tmp_path / "home", provider)
        url = start_embedded(home.path)
        await migrate(url)
        embedded_secret_key(home.path)
        yield home
        stop_embedded(home.path)


async def add_shop_of_acme(context: AppContext) -> None:
    async with context.sessions.begin() as session:
        brand = await add_brand(session, "acme", name="Acme", postal_address="1 Main St")
        actor = cli_actor(brand.id)
        await add_shop(session, context.tokens, brand, "acme", name="Acme", actor=actor)


async def acme(context: AppContext) -> tuple[Brand, Shop]:
    async with context.sessions() as session:
        brand = await load_brand(session, 1)
        return brand, next(iter((await load_shops(session, brand.id)).values()))


async def queue_wave(context: AppContext, name: str) -> list[str]:
    """Surveys to new customers; returns their addresses."""
    brand, shop = await acme(context)
    people = [Person(email=f"{name}{number}@example.com", first_name="Ana") for number in range(WAVE)]
    async with context.sessions.begin() as session:
        ids = await identify(session, brand, shop, people, now=NOW)
        messages = [
            NewMessage(
                SURVEY, new_id(), one, shop.id, Channel.email, person.email or "", "en", SURVEY_PARAMS, NOW
            )
            for one, person in zip(ids, people, strict=True)
            if one is not None
        ]
        await queue_messages(session, brand.id, messages)
    return [person.email or "" for person in people]


async def test_a_home_replaced_by_a_copy_of_a_killed_server_sends_nothing_twice(
    home: Home, tmp_path: Path
) -> None:
    provider, due = home.provider, ("run-due", "--now", NOW.isoformat())
    async with home.open() as context:
        await add_shop_of_acme(context)
        before = await queue_wave(context, "before")
        await home.run(*due)
        assert len(provider.mail) == WAVE
        during = await queue_wave(context, "during")
    provider.fail(Fault.hang_after)
    sending = home.begin(*due)
    while len(provider.mail) < 2 * WAVE:
        await asyncio.sleep(0.05)
        assert sending.poll() is None
    home.kill_server()
    sending.kill()
    sending.wait()
    copy = tmp_path / "copy"
    home.copy(copy)

    async with home.open() as context:
        after = await queue_wave(context, "after")
        await home.run(*due)
        assert len(provider.mail) == 3 * WAVE
        brand, _ = await acme(context)
        async with context.sessions.begin() as session:
            await suppress(
                session, context.tokens, brand.id, Channel.email, before[:1], SuppressionReason.unsubscribed,
                now=NOW,
            )  # fmt: skip
        await home.run("person", "erase", before[1], "--brand", "acme")
        await home.run(*due)
    home.replace_by(copy)

    assert "older copy" in await home.run("doctor", code=1), "before anything has run"
    later = ("run-due", "--now", (NOW + 9 * GRACE).isoformat())
    assert json.loads(await home.run(*later))["messages"] == 0
    assert "tenfold recover" in await home.run("doctor", code=1)
    recovered = json.loads(await home.run("recover"))
    assert recovered["messages_sent"] == WAVE, "those that were under way when the copy was made"
    assert recovered["messages_unknown"] == WAVE, "those of customers whom the copy does not have"
    assert (recovered["suppressions"] >= 1, recovered["people_erased"]) == (True, 1)
    assert [sentence.split()[0] for sentence in recovered["decide"]] == [str(WAVE)]
    await home.run(*later)
    assert Counter(mail.to for mail in provider.mail) == dict.fromkeys([*before, *during, *after], 1)
    await home.run("invariants")
    assert json.loads(await home.run("recover"))["messages_sent"] == 0
