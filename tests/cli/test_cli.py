"""The commands as a person runs them: inside this process, and with `-m slow` each once in a
process of its own, where only what it imports is there."""

import asyncio
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest
import structlog
from sqlalchemy import text

from app.admin.rules import Role, Scope
from app.base.ids import public_id
from app.base.tokens import new_webhook_secret
from app.brands.rules import Platform
from app.cli import main
from app.cli.access import add_key, add_staff
from app.cli.manage import add_shop
from app.insight.invariants import INVARIANTS
from tests.support.factories.rows import Rows

TENFOLD = Path(sys.executable).parent / "tenfold"


@pytest.fixture
def home(context, settings):
    """An environment whose database is the test's own."""
    return {
        "PATH": os.environ["PATH"],
        "TENFOLD_DATABASE_URL": context.database_url,
        "TENFOLD_SECRET_KEY": settings.secret_key.get_secret_value(),
        "TENFOLD_HOME": str(settings.home),
    }


def tenfold(home: dict[str, str], *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [TENFOLD, *words],
        env=home,
        cwd=home["TENFOLD_HOME"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def run_here(home, monkeypatch, capsys) -> Callable[..., tuple[object, str, str]]:
    """Run a command in this process; return its exit code, stdout and stderr."""

    def run(*words: str, stdin: str = "", **settings: str) -> tuple[object, str, str]:
        for name in [name for name in os.environ if name.startswith("TENFOLD_")]:
            monkeypatch.delenv(name)
        for name, value in (home | settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(home["TENFOLD_HOME"])
        monkeypatch.setattr(sys, "argv", ["tenfold", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        logs = structlog.get_config()
        with pytest.raises(SystemExit) as ended:
            main()
        structlog.configure(**logs)
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def refused(run_here) -> Callable[..., str]:
    """Run a command in this process; return the one sentence it ends with."""

    def run(*words: str, stdin: str = "", **settings: str) -> str:
        code, out, err = run_here(*words, stdin=stdin, **settings)
        assert (code, out) == (2, ""), err
        assert len(err.strip().splitlines()) == 1
        return err

    return run


@pytest.fixture
def printed(run_here) -> Callable[..., str]:
    """Run a command in this process; return what it prints."""

    def run(*words: str, stdin: str = "") -> str:
        code, out, err = run_here(*words, stdin=stdin)
        assert code in (0, None), err
        return out

    return run


@pytest.fixture(params=["here", pytest.param("process", marks=pytest.mark.slow(seconds=20))])
def command(request, home, run_here) -> Callable[..., str]:
    """Run a command, which ends with `code`; return what it prints."""

    def run(*words: str, code: int = 0, **settings: str) -> str:
        if request.param == "process":
            return tenfold(home | settings, *words, code=code).stdout
        ended, out, err = run_here(*words, **settings)
        assert (ended or 0) == code, err
        return out

    return run


def test_a_shop_a_key_and_a_person_are_set_up_by_commands(command):
    shop = json.loads(command("shop", "add", "acme", "--name", "Acme"))
    assert shop["hooks"]["checkout"] == "http://127.0.0.1:8000/hooks/acme/checkout"
    assert shop["webhook_secret"].startswith("whsec_")
    key = command("key", "add", "--brand", "acme", "--scope", "read")
    assert key.startswith("tf_")
    assert len(key.split()) == 1
    command("staff", "add", "ana@acme.example", "--brand", "acme", "--role", "marketer")
    link = command("staff", "login-link", "ana@acme.example")
    assert link.startswith("http://127.0.0.1:8000/admin/login/")
    assert command("invariants") == f"All {len(INVARIANTS)} invariants hold.\n"
    assert json.loads(command("invariants", "--json")) == {"invariants": len(INVARIANTS), "violations": []}
    assert "in order" in command("doctor")


async def test_a_violation_is_printed_with_its_rows_and_exit_1(command, session, brand, shop):
    rows = Rows(session, brand, shop)
    order = await rows.order(await rows.customer())
    await session.commit()
    statement, shown = (
        "every order has a survey, planned or skipped with its reason",
        public_id("ord", order.id),
    )
    found = json.loads(await asyncio.to_thread(command, "invariants", "--json", code=1))
    assert found["violations"] == [
        {"invariant": "order_has_survey", "statement": statement, "brand": brand.id, "rows": [shown]}
    ]
    printed = await asyncio.to_thread(command, "invariants", code=1)
    assert printed == f"VIOLATED (brand {brand.id}): {statement}: {shown}\n"


def test_a_secret_comes_by_stdin_and_is_not_printed(printed, refused):
    secret = new_webhook_secret()
    add = ("shop", "add", "acme", "--name", "Acme", "--webhook-secret-stdin")
    assert "24 bytes" in refused(*add, stdin="whsec_short\n")
    assert "stdin" in refused(*add)
    assert "webhook_secret" not in json.loads(printed(*add, stdin=f"{secret}\n"))
    exchanged = printed("shop", "secret", "acme", "--webhook-secret-stdin", stdin=f"{secret}\n")
    assert json.loads(exchanged) == {"shop": "acme"}


def test_the_domains_of_a_brand_are_changed_and_printed(printed, refused):
    printed("shop", "add", "acme", "--name", "Acme", "--url", "https://www.acme.example/de")
    assert json.loads(printed("brand", "domains", "acme"))["domains"] == ["acme.example"]
    change = ("--add", "Shop.example", "--remove", "acme.example")
    assert json.loads(printed("brand", "domains", "acme", *change))["domains"] == ["shop.example"]
    assert "no domain" in refused("brand", "domains", "acme", "--add", "localhost")


def test_a_key_is_labelled_listed_and_revoked_by_commands(printed):
    printed("brand", "add", "acme", "--name", "Acme")
    scopes = ("--scope", "read", "--scope", "pii")
    added = printed("key", "add", "--brand", "acme", *scopes, "--label", "Reports", "--expires-days", "30")
    listed = printed("key", "list", "--brand", "acme")
    (row,) = json.loads(listed)["data"]
    assert (row["label"], row["scopes"], row["revoked_at"]) == ("Reports", ["pii", "read"], None)
    assert row["expires_at"] > row["created_at"]
    assert added.startswith("tf_")
    assert added.strip() not in listed
    assert printed("key", "revoke", row["id"]) == ""
    (row,) = json.loads(printed("key", "list", "--brand", "acme"))["data"]
    assert row["revoked_at"]


def test_a_person_with_a_password_is_listed_and_removed_by_commands(printed, refused):
    printed("brand", "add", "acme", "--name", "Acme")
    add = ("staff", "add", "ana@acme.example", "--brand", "acme", "--role", "admin", "--password-stdin")
    assert "12" in refused(*add, stdin="short\n")
    assert json.loads(printed("staff", "list", "--brand", "acme")) == {"data": []}
    printed(*add, stdin="a long password\n")
    (row,) = json.loads(printed("staff", "list", "--brand", "acme"))["data"]
    assert (row["email"], row["role"], row["id"][:4]) == ("ana@acme.example", "admin", "stf_")
    printed("staff", "remove", "ana@acme.example", "--brand", "acme")
    assert "No staff member" in refused("staff", "login-link", "ana@acme.example")


def test_a_person_is_invited_to_some_shops_by_a_command(printed, refused):
    printed("brand", "add", "acme", "--name", "Acme")
    words = ("zoe@acme.example", "--brand", "acme", "--role", "support")
    assert "add one first" in refused("staff", "invite", *words)
    printed("shop", "add", "acme", "--name", "Acme", "--brand", "acme")
    assert "has no shop" in refused("staff", "invite", *words, "--shop", "nowhere")
    for _ in range(2):
        printed("staff", "invite", *words, "--shop", "acme")
    (row,) = json.loads(printed("staff", "list", "--brand", "acme"))["data"]
    assert (row["status"], row["shops"], row["role"]) == ("invited", ["acme"], "support")
    printed("staff", "remove-authenticator", "zoe@acme.example", "--brand", "acme")
    printed("staff", "remove", "zoe@acme.example", "--brand", "acme", "--keep-keys")


def test_a_foreign_key_is_refused_and_a_new_one_takes_over_and_seals_anew(command, refused):
    former, present = "f" * 40, "p" * 40
    command("shop", "add", "acme", "--name", "Acme", TENFOLD_SECRET_KEY=former)
    assert "belongs to another TENFOLD_SECRET_KEY" in refused("run-due", TENFOLD_SECRET_KEY=present)
    both = {"TENFOLD_SECRET_KEY": present, "TENFOLD_SECRET_KEYS_OLD": f"{'x' * 40}, {former}"}
    assert "key-rotate" in command("doctor", code=1, **both)
    rotated = json.loads(command("key-rotate", **both))
    assert rotated == {
        "shops": 1,
        "connections": 0,
        "provider_accounts": 0,
        "authenticators": 0,
        "alarm_webhooks": 0,
        "old_links_until": None,
    }
    assert "Remove TENFOLD_SECRET_KEYS_OLD" in command("doctor", code=1, **both)
    assert "belongs to another" in refused("run-due", TENFOLD_SECRET_KEY=former)


def test_help_names_every_platform_scope_and_role():
    for command, words in ((add_shop, Platform), (add_key, Scope), (add_staff, Role)):
        helps = [
            each.help
            for hint in get_type_hints(command, include_extras=True).values()
            for each in getattr(hint, "__metadata__", ())
        ]
        assert any(set(words) <= set(re.findall(r"[a-z]+", text)) for text in helps), command


def test_a_shops_settings_of_its_platform_are_set_by_commands(printed, refused):
    made = printed(
        *("shop", "add", "acme", "--name", "Acme", "--platform", "woocommerce"),
        *("--setting", "delivered_status=delivered", "--setting", "locale_meta_key=wpml_language"),
    )
    assert json.loads(made)["hooks"]["woocommerce"].endswith("/hooks/acme/woocommerce")
    changed = printed(
        "shop", "settings", "acme", "--set", "consent_meta_key=_a=b", "--unset", "locale_meta_key"
    )
    assert json.loads(changed) == {
        "shop": "acme",
        "platform": "woocommerce",
        "settings": {"delivered_status": "delivered", "consent_meta_key": "_a=b"},
    }
    assert "no setting 'colour'" in refused("shop", "settings", "acme", "--set", "colour=red")
    assert json.loads(printed("shop", "settings", "acme")) == json.loads(changed)


def test_run_due_at_a_time_prints_one_line_of_counts(command):
    counts = json.loads(command("run-due", "--now", "2026-05-01T12:00:00Z"))
    assert set(counts) >= {"ingest", "surveys", "messages", "referrals"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["shop", "add", "twilio", "--name", "X"], "reserved"),
        (["shop", "add", "acme", "--name", "X", "--currency", "XXX"], "currency"),
        (["shop", "add", "acme", "--name", "X", "--platform", "ebay"], "platform"),
        (["shop", "add", "acme", "--name", "X", "--setting", "delivered_status"], "NAME=VALUE"),
        (["shop", "add", "acme", "--name", "X", "--setting", "delivered_status=x"], "checkout shop has no"),
        (["shop", "settings", "nobody", "--set", "a=b"], "There is no shop"),
        (["shop", "add", "acme", "--name", "X", "--url", "javascript:alert(1)"], "web address"),
        (["shop", "add", "acme", "--name", "X", "--url", "/shop"], "web address"),
        (["shop", "add", "x" * 9000, "--name", "X"], "xxx…' cannot"),
        (["brand", "add", "\ud800", "--name", "X"], "cannot stand"),
        (["brand", "add", "acme", "--name", ""], "1 to 200 characters"),
        (["brand", "add", "acme", "--name", "A\nB"], "1 to 200 characters"),
        (["brand", "add", "acme", "--name", "X", "--locale", "german, please"], "no locale"),
        (["brand", "add", "acme", "--name", "X", "--postal-address", "x" * 501], "at most 500"),
        (["brand", "add", "acme", "--name", "X", "--address-form", "du"], "formal, informal"),
        (["shop", "add", "acme", "--name", "x" * 201], "1 to 200 characters"),
        (["try", "nowhere", "--email", "me"], "no e-mail address"),
        (["try", "nowhere", "--email", "me@acme.example"], "There is no shop"),
        (["shop", "add", "acme", "--name", "X", "--time-zone", "Mars/Base"], "time zone"),
        (["key", "add", "--brand", "nobody", "--scope", "read"], "brand"),
        (["key", "add", "--brand", "nobody", "--scope", "all"], "scope"),
        (["key", "add", "--brand", "nobody", "--scope", "read", "--expires-days", "0"], "days"),
        (["key", "add", "--brand", "nobody", "--scope", "read", "--label", "a\nb"], "one line"),
        (["key", "list", "--brand", "nobody"], "brand"),
        (["key", "revoke", "key_00000000000000000000000000"], "no key"),
        (["key", "revoke", "cus_00000000000000000000000000"], "Nothing"),
        (["staff", "list", "--brand", "nobody"], "brand"),
        (["staff", "remove", "a@b.example", "--brand", "nobody"], "brand"),
        (["staff", "add", "a@b.example", "--brand", "x", "--role", "admin", "--password-stdin"], "password"),
        (["run-due", "--now", "tomorrow"], "time"),
        (["run-due", "--now", "2026-05-01T12:00:00"], "zone"),
        (["run-due", "--now", "0001-01-01T00:00:00+01:00"], "between the years 1970 and 2200"),
        (["person", "export", "a@b.example", "--brand", "nobody"], "brand"),
        (["person", "erase", "--phone", "+31612345678", "--brand", "nobody"], "brand"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(refused, words, expected):
    assert expected in refused(*words)


def test_a_refusal_is_exit_2_without_a_traceback_in_a_process_too(home):
    done = tenfold(home, "key", "add", "--brand", "nobody", "--scope", "read", code=2)
    assert (done.stdout, len(done.stderr.strip().splitlines())) == ("", 1)


def test_settings_that_cannot_be_used_are_named(refused):
    assert "TENFOLD_SECRET_KEY" in refused("doctor", TENFOLD_SECRET_KEY="short")
    production = {"TENFOLD_ENV": "production", "TENFOLD_PUBLIC_URL": "https://nps.example"}
    assert "--now" in refused("run-due", "--now", "2026-05-01T12:00:00Z", **production)


@pytest.mark.parametrize("words", [["worker", "--processes", "64"], ["web", "--workers", "64"]])
def test_more_connections_than_the_server_has_are_refused_at_start(refused, words):
    sentence = refused(*words, TENFOLD_DATABASE_POOL="1000")
    assert "TENFOLD_DATABASE_POOL=1000 64 processes may hold 64000 connections" in sentence
    assert "max_connections" in sentence


@pytest.mark.parametrize("words", [["doctor"], ["invariants"]])
def test_an_unreachable_database_is_one_sentence(refused, words):
    assert "database" in refused(*words, TENFOLD_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")


@pytest.mark.parametrize(
    "words", [["invariants", "--json"], ["migrate"], ["key", "add", "--brand", "acme", "--scope", "read"]]
)
def test_a_missing_database_is_one_sentence_and_no_violation(refused, home, words):
    missing = home["TENFOLD_DATABASE_URL"].replace("/test_", "/gone_")
    assert "database" in refused(*words, TENFOLD_DATABASE_URL=missing)


def test_what_is_wrong_with_the_database_or_the_home_is_said_as_it_is(refused, home, tmp_path):
    url = home["TENFOLD_DATABASE_URL"]
    assert "does not exist" in refused("doctor", TENFOLD_DATABASE_URL=url.replace("/test_", "/gone_"))
    stranger = url.replace("postgres@", "somebody@")
    assert stranger != url
    assert "refuses the user" in refused("migrate", TENFOLD_DATABASE_URL=stranger)
    assert "address of PostgreSQL" in refused("migrate", TENFOLD_DATABASE_URL="mysql://db/tenfold")
    (tmp_path / "file").touch()
    for word in ("migrate", "serve", "web", "worker", "doctor"):
        sentence = refused(word, TENFOLD_DATABASE_URL="", TENFOLD_HOME=str(tmp_path / "file" / "home"))
        assert "set TENFOLD_HOME to a folder of this user" in sentence


@pytest.mark.slow
@pytest.mark.parametrize(("word", "code"), [("serve", 0), ("web", -signal.SIGTERM)])
def test_a_stopped_process_leaves_no_database_running(tmp_path, word, code):
    environment = {"PATH": os.environ["PATH"], "TENFOLD_HOME": str(tmp_path)}
    tenfold(environment, "migrate")
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    assert not pid_file.exists()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    running = subprocess.Popen(
        [TENFOLD, word, "--port", str(number)],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        _wait_until(lambda: _answers(number))
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == code
        _wait_until(lambda: not pid_file.exists())
    finally:
        running.kill()
        running.communicate()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def test_migrating_a_database_of_an_unknown_revision_is_one_sentence(context, refused):
    async with context.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert "'0001'" in await asyncio.to_thread(refused, "migrate")


def test_tables_are_distributed_only_where_the_database_can(refused):
    assert "CREATE EXTENSION citus" in refused("distribute")


def test_orders_are_imported_with_a_report_beside_the_file_and_nobody_on_stdout(
    command, refused, home, tmp_path
):
    command("shop", "add", "acme", "--name", "Acme")
    lines = [
        {"id": "1", "placed_at": "2026-03-01T10:00:00Z", "currency": "EUR", "total": "10.00"},
        {"id": "2", "placed_at": "2026-03-01T10:00:00Z", "currency": "EUR", "total": "much, ana@example.com"},
    ]
    path = tmp_path / "orders.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    out = command("import", "orders", str(path), "--shop", "acme", "--history")
    done = json.loads(out)
    assert (done["format"], done["new"], done["refused"], done["unpaid"]) == ("tenfold", 1, 1, 0)
    assert "@" not in out
    report = tmp_path / "orders.ndjson.refused.csv"
    assert done["report"] == str(report)
    assert report.stat().st_mode & 0o777 == 0o600
    first, second = report.read_text().splitlines()
    assert (first, second[:8]) == ("line,reason", '2,"total')
    assert "ana@" not in second
    assert "no shop" in refused("import", "orders", str(path), "--shop", "acne").lower()
    assert "cannot be read" in refused("import", "orders", str(tmp_path / "none"), "--shop", "acme")


def test_the_report_of_an_import_is_where_it_can_be_written(run_here, home, tmp_path, monkeypatch):
    run_here("shop", "add", "acme", "--name", "Acme")
    folder = tmp_path / "exports"
    folder.mkdir()
    path = folder / "orders.ndjson"
    path.write_text('{"id": "1", "placed_at": "2026-03-01T10:00:00Z", "currency": "EUR", "total": "much"}\n')
    words = ("import", "orders", str(path), "--shop", "acme", "--history")
    _, out, err = run_here(*words, "--report", "-")
    assert json.loads(out)["report"] == "-"
    assert err.startswith('1,"total')
    monkeypatch.setattr("os.access", lambda where, _mode: Path(where) != folder)
    _, out, err = run_here(*words)
    assert out, err
    report = Path(home["TENFOLD_HOME"]) / "orders.ndjson.refused.csv"
    assert json.loads(out)["report"] == str(report)
    assert "total" in report.read_text()
    closed = {folder, report.parent}
    monkeypatch.setattr("os.access", lambda where, _mode: Path(where) not in closed)
    code, _, err = run_here(*words)
    assert code == 2
    assert "choose another --report, or - for stderr" in err


def test_a_shop_that_cannot_be_synchronised_says_why(command, refused):
    command("shop", "add", "acme", "--name", "Acme")
    command("shop", "add", "fern", "--name", "Fern", "--platform", "shopify")
    assert "import a file" in refused("sync", "--shop", "acme")
    assert "is not connected" in refused("sync", "--shop", "fern", "--since", "2026-03-01")
    assert "write it as 2026-03-01" in refused("sync", "--shop", "fern", "--since", "yesterday")
    assert "has begun" in refused("sync", "--shop", "fern", "--since", "2199-03-01")
