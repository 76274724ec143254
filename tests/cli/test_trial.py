"""`tenfold try` against a running installation, and what it says where something is missing."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from app.base import clock
from app.base.errors import AppError
from app.brands.programme import Channel
from app.cli import trial_path
from app.cli.trial_path import TrialResult, follow, trial_order
from app.customers.consent import suppress
from app.customers.rules import SuppressionReason
from app.insight.overview import overview
from app.insight.periods import Period
from app.platforms.checkout.verify import sign, verify
from app.platforms.delivery_types import RefusedDelivery
from tests.support.constants import SECRET
from tests.support.factories.customers import make_customer
from tests.support.factories.programme import set_terms
from tests.support.processes import start

TENFOLD = Path(sys.executable).parent / "tenfold"


@pytest.fixture
def environment(context, settings) -> dict[str, str]:
    """An environment whose database is the test's own."""
    return {
        "TENFOLD_DATABASE_URL": context.database_url,
        "TENFOLD_SECRET_KEY": settings.secret_key.get_secret_value(),
        "TENFOLD_HOME": str(settings.home),
    }


@contextmanager
def running(word: str, environment: dict[str, str]) -> Iterator[str]:
    """A process of its own that listens; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(word, "--port", str(port), environment=environment)
    try:
        until = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.is_alive()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(30)


async def tried(
    context, url: str, email: str = "me@acme.example", *, phone: str | None = None, score: int | None = None
) -> TrialResult:
    said: list[str] = []
    result = await follow(context, trial_order("acme", email, phone, score, url=url), said.append)
    assert said == result.decisions
    return result


@pytest.mark.slow
async def test_a_trial_goes_the_whole_way_and_says_what_stops_it(context, brand, shop, session, environment):
    """Everything against one running installation, since a start takes seconds."""
    with running("serve", environment) as url:
        command = [TENFOLD, "try", "acme", "--email", "me@acme.example", "--score", "9", "--url", url]
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            env={"PATH": os.environ["PATH"], **environment},
            cwd=environment["TENFOLD_HOME"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, "")
        first = json.loads(done.stdout)
        assert first["complete"]
        assert first["links"]["friends_page"].startswith(f"{url}/r/")
        assert first["links"].keys() == {"person", "survey", "outbox", "friends_page", "referrers_page"}
        text = " ".join(first["decisions"])
        assert f"order {first['order']} (a trial)" in text
        assert f"Got the code {first['code']}" in text
        assert "the outbox keeps it" in text

        again = await tried(context, url, phone="+49 170 1234567", score=3)
        assert (again.complete, again.code) == (True, first["code"])
        assert "Answered 3, a detractor" in again.decisions
        assert not any("Got the code" in each for each in again.decisions), "that was said before"

        unanswered = await tried(context, url, "other@acme.example")
        assert (unanswered.complete, unanswered.code) == (True, None)

        found = await overview(session, brand, Period())
        assert (found.counts.responses, found.funnel.stages.orders, found.activity.offers) == (0, 0, 0)

        await check_what_stops_it(context, brand, url)


async def check_what_stops_it(context, brand, url: str) -> None:
    async with context.sessions.begin() as session:
        await suppress(
            session,
            context.tokens,
            brand.id,
            Channel.email,
            ["gone@acme.example"],
            SuppressionReason.unsubscribed,
            now=clock.now(),
        )
    gone = await tried(context, url, "gone@acme.example", score=9)
    assert (gone.complete, gone.code) == (False, None)
    assert "gets nothing any more" in gone.decisions[-1]
    await make_customer(context, brand, email="no@acme.example", consents={Channel.email: False})
    refused = await tried(context, url, "no@acme.example")
    assert not refused.complete
    assert "refused before" in refused.decisions[-1]
    relayed = await tried(context, url, "noreply@acme.example")
    assert "leaves such orders out" in relayed.decisions[-1]
    await set_terms(context, brand, {"surveys_enabled": False})
    off = await tried(context, url)
    assert "surveys were switched off" in off.decisions[-2]
    assert "Switch surveys on" in off.decisions[-1]


@pytest.mark.slow
async def test_without_a_worker_a_trial_says_so(context, brand, shop, environment, monkeypatch):
    monkeypatch.setattr(trial_path, "WAIT_SECONDS", 0.3)
    with running("web", environment) as url:
        with pytest.raises(AppError, match="no worker has processed it"):
            await tried(context, url)
        with pytest.raises(AppError, match="There is no shop 'nowhere'; make it with"):
            await follow(context, trial_order("nowhere", "me@acme.example", None, None, url=url), print)


async def test_a_web_server_of_something_else_is_named(context, brand, shop, monkeypatch):
    monkeypatch.setattr(trial_path, "WAIT_SECONDS", 0.1)
    answers = {"200": "another database", "401": "signature was refused", "404": "has no shop acme"}
    for status, sentence in (answers | {"302": "is it Tenfold", "503": "cannot store"}).items():

        async def answer(reader, writer, status=status):
            await reader.read(65536)
            writer.write(f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(AppError, match=sentence):
                await tried(context, url)


def test_production_needs_a_yes(environment, monkeypatch):
    from app.cli.trial import try_order

    for name, value in (environment | {"TENFOLD_PUBLIC_URL": "https://nps.example"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TENFOLD_ENV", "production")
    with pytest.raises(AppError, match="repeat it with --yes"):
        try_order("acme", "me@acme.example")


@pytest.mark.parametrize(
    ("email", "phone", "sentence"),
    [("me", None, "'me' is no e-mail address"), ("me@acme.example", "0170", "with its country's prefix")],
)
def test_an_address_that_cannot_be_used_is_refused(email, phone, sentence):
    with pytest.raises(AppError, match=sentence):
        trial_order("acme", email, phone, None, url="http://127.0.0.1:8000")


async def test_nothing_runs_there(context, brand, shop):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        with pytest.raises(AppError, match=r"Nothing answers at .*Start Tenfold with: tenfold serve"):
            await tried(context, f"http://127.0.0.1:{probe.getsockname()[1]}")


@pytest.mark.parametrize("secret", [SECRET, "a platform's own secret"])
def test_a_signed_request_is_accepted_by_its_own_secret_alone(secret):
    now = clock.now()
    raw = b'{"type": "order.paid"}'
    headers = {
        "webhook-id": "trial-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign("trial-1", int(now.timestamp()), raw, secret),
    }
    assert not isinstance(verify(headers, raw, [secret], now=now), RefusedDelivery)
    assert isinstance(verify(headers, raw, ["another secret of a shop"], now=now), RefusedDelivery)
    late = now + timedelta(minutes=6)
    assert isinstance(verify(headers, raw, [secret], now=late), RefusedDelivery)
