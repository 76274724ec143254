"""What doctor finds outside of the rows, each with its solution."""

import shutil
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from app.base import metrics
from app.cli import checks
from tests.support.constants import PROJECT

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  # as `shutil` returns it


def test_a_misspelled_variable_is_named_with_the_nearest_setting(monkeypatch, tmp_path):
    monkeypatch.setattr(checks.os, "environ", {"TENFOLD_HOME": "x", "TENFOLD_SECRET_KEYS": "x", "PATH": "y"})
    env_file = tmp_path / ".env"
    env_file.write_text(
        "# TENFOLD_COMMENTED=1\nTENFOLD_EMAIL_FORM=a@b.example\nexport TENFOLD_ENV=production\n"
    )
    assert checks.variable_problems(env_file) == [
        "TENFOLD_EMAIL_FORM is no setting; do you mean TENFOLD_EMAIL_FROM?",
        "TENFOLD_SECRET_KEYS is no setting; do you mean TENFOLD_SECRET_KEY?",
    ]


def test_every_variable_of_the_example_is_a_setting(monkeypatch, tmp_path):
    monkeypatch.setattr(checks.os, "environ", {})
    env_file = tmp_path / ".env"
    env_file.write_text((PROJECT / ".env.example").read_text().replace("#TENFOLD_", "TENFOLD_"))
    assert checks.variable_problems(env_file) == []


def test_a_full_disk_is_named_and_a_free_one_is_not(monkeypatch, settings):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**40, 2**40, 300 * 2**20))
    home, journal = checks.disk_problems(settings)
    assert "TENFOLD_HOME" in home
    assert "300 MiB left" in journal
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**40, 0, 2**40))
    assert checks.disk_problems(settings) == []


@pytest.fixture
def web(settings):
    """A web process that answers with what `pages` holds, at the public address."""
    pages = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # as the library names it
            self.send_response(200)
            self.end_headers()
            self.wfile.write(pages[self.path])

        def log_message(self, *_words):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings.public_url = f"http://127.0.0.1:{server.server_port}"
        yield pages
        server.shutdown()


def test_callers_that_share_one_private_address_are_a_problem(web, settings):
    for one in (True, False):
        metrics.ONE_PEER.set(one)
        web["/metrics"] = metrics.rendered()
        problems = checks.web_problems(settings)
        assert ["FORWARDED_ALLOW_IPS" in problem for problem in problems] == [True] * one


def test_no_web_process_is_no_problem(settings, capsys):
    settings.public_url = "http://127.0.0.1:9"
    assert checks.web_problems(settings) == []
    assert "No web process was reached" in capsys.readouterr().err


async def test_connections_that_are_nearly_used_up_are_a_problem(context, monkeypatch):
    async with context.engine.connect() as connection:
        assert await checks.connection_problems(connection) == []
        monkeypatch.setattr(checks, "MOST_CONNECTIONS_SHARE", 0.0)
        (problem,) = await checks.connection_problems(connection)
    assert "connections are used. Run fewer processes" in problem
