"""`tenfold web` and `serve` as processes: their port, their links, long bodies over a socket."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base.config import load_settings
from app.base.errors import AppError
from app.base.listener import listening
from app.cli.console import address_of

TENFOLD = Path(sys.executable).parent / "tenfold"
MEGABYTE = 1024 * 1024


@pytest.fixture
def environment(context, settings) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TENFOLD_DATABASE_URL": context.database_url,
        "TENFOLD_SECRET_KEY": settings.secret_key.get_secret_value(),
        "TENFOLD_HOME": str(settings.home),
    }


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TENFOLD, *words],
        env=environment,
        cwd=environment["TENFOLD_HOME"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def port(environment) -> Iterator[int]:
    """The port of a running `tenfold web` with two processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    web = subprocess.Popen(
        [TENFOLD, "web", "--workers", "2", "--port", str(number)],
        env=environment,
        cwd=environment["TENFOLD_HOME"],
    )
    until = time.monotonic() + 60
    while True:
        assert web.poll() is None
        assert time.monotonic() < until
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{number}/readyz", timeout=10).read()
            break
        except OSError:
            time.sleep(0.2)
    yield number
    web.send_signal(signal.SIGTERM)
    web.wait(60)


def exchange(port: int, *parts: bytes) -> tuple[int, bytes]:
    """Send the parts one after the other, then read the whole response."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return int(answer.split(None, 2)[1]), answer


@pytest.mark.slow
def test_a_web_process_answers_too_long_bodies_and_is_alone_on_its_port(port, environment):
    head = b"POST /s/unknown-token HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    chunks = [b"100000\r\n" + b"x" * MEGABYTE + b"\r\n"] * 3
    status, answer = exchange(port, head + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n")
    assert (status, b"too_large" in answer) == (413, True)
    status, answer = exchange(port, head + b"Content-Length: 3145728\r\n\r\n", b"x" * 3 * MEGABYTE)
    assert (status, b"too_large" in answer) == (413, True)
    close = b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert exchange(port, b"GET /s/%00" + close)[0] == 422
    for path in (b"/admin/", b"/outbox/", b"//evil.example/", b"/healthz/"):
        assert b"location: http" not in exchange(port, b"GET " + path + close)[1].lower()
    for word in ("web", "serve"):
        refused = run(environment, word, "--port", str(port))
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"Port {port} is taken; choose another one with --port.\n"


@pytest.mark.slow
def test_the_port_moves_the_links_unless_they_are_set(environment):
    # The processes that a web process starts read the settings anew.
    program = (
        "from app.cli import console; import json; from app.base.config import load_settings;"
        "print(json.dumps([console.start(port=8123).public_url, load_settings().public_url]))"
    )
    for given, wanted in (
        ({}, "http://127.0.0.1:8123"),
        ({"TENFOLD_PUBLIC_URL": "https://nps.example"},) * 2,
    ):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment | given,
            cwd=environment["TENFOLD_HOME"],
            capture_output=True,
            check=True,
        )
        assert set(json.loads(done.stdout)) == {wanted if isinstance(wanted, str) else "https://nps.example"}


def test_an_address_for_a_browser_on_this_machine():
    assert address_of("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert address_of("::1", 80) == "http://[::1]:80"
    assert address_of("192.0.2.7", 80) == "http://192.0.2.7:80"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1", "x" * 300])
def test_an_address_that_is_not_this_machines_is_one_sentence(host):
    with pytest.raises(AppError) as refused:
        with listening(host, 0):
            pass
    assert refused.value.code == "bad_host"
    assert len(refused.value.detail) < 120


def test_two_processes_cannot_have_one_port():
    with listening("127.0.0.1", 0) as first:
        number = first.getsockname()[1]
        # Both have the port, as processes that start together do, until one of them listens.
        with pytest.raises(AppError, match="is taken"), listening("127.0.0.1", number) as second:  # noqa: PT012  # either listens
            first.listen()
            second.listen()
        with pytest.raises(AppError, match="is taken"), listening("127.0.0.1", number):
            pass


@pytest.mark.parametrize(
    "url",
    [
        "mysql://tenfold@db/tenfold",
        "sqlite:///tenfold.db",
        "postgresql+asyncpg://db/tenfold",
        "tenfold",
        "postgresql:db",
        "postgresql://db:port/tenfold",
    ],
)
def test_a_database_of_another_kind_is_refused_without_repeating_its_password(url):
    with pytest.raises(AppError, match="TENFOLD_DATABASE_URL: must be an address of PostgreSQL") as refused:
        load_settings(_env_file=None, database_url=url, secret_key="x" * 40)
    assert url not in refused.value.detail


@pytest.mark.parametrize(
    "url", ["postgresql://u:p@db:5432/x", "postgres://db/x", "postgresql://postgres@/x?host=/run"]
)
def test_an_address_of_postgresql_is_taken(url):
    assert load_settings(_env_file=None, database_url=url, secret_key="x" * 40).database_url
