"""The project: its documents agree with its code."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from app.base.config import Settings, load_settings
from app.base.errors import AppError
from app.base.log import scrub

# Each import adds its commands.
from app.cli import (  # noqa: F401
    access,
    connect,
    console,
    diagnostics,
    distribute,
    import_orders,
    manage,
    people,
    recovery,
    run,
    shop_settings,
    sync,
    trial,
)
from tests.support.constants import PROJECT

README = (PROJECT / "README.md").read_text()
GO_LIVE = (PROJECT / "docs/go-live.md").read_text()


def test_every_setting_is_documented_and_no_other():
    names = {f"TENFOLD_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"TENFOLD_[A-Z_]+[A-Z]", README)) == names
    assert (
        set(re.findall(r"^#?(TENFOLD_[A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
        == names
    )


def test_every_command_of_the_readme_exists():
    commands = get_command(console.cli).commands  # type: ignore[attr-defined]
    mentioned = set(re.findall(r"`tenfold ([a-z-]+(?: [a-z-]+)?)", README))
    assert len(mentioned) >= 8
    for words in mentioned:
        first, _, second = words.partition(" ")
        assert first in commands, words
        if second and hasattr(commands[first], "commands"):
            assert second in commands[first].commands, words


def test_every_setting_and_command_of_going_live_exists():
    settings = {f"TENFOLD_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"TENFOLD_[A-Z_]+[A-Z]", GO_LIVE)) <= settings
    # Commands stand in sentences and in blocks; options may follow over several lines.
    joined = GO_LIVE.replace("\\\n", " ")
    calls = re.findall(r"(?:^|`|&& |\$\()tenfold ([a-z][^`|\n)#&]*)", joined, re.MULTILINE)
    assert len(calls) >= 20
    for call in calls:
        command = get_command(console.cli)
        for word in call.split():
            if hasattr(command, "commands"):
                assert word in command.commands, call
                command = command.commands[word]
            elif word.startswith("--"):
                assert word in {name for each in command.params for name in each.opts}, call


def test_every_decision_has_a_number_of_its_own():
    files = sorted((PROJECT / "docs/decisions").glob("*.md"))
    titles = [file.read_text().split(".", 1)[0] for file in files]
    assert titles == [f"# {number}" for number in range(1, len(files) + 1)]


def test_the_way_to_go_live_is_short():
    assert len(GO_LIVE.splitlines()) <= 170


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


DOCUMENTS = sorted(
    path
    for folder in ("", "docs", "docs/decisions", "tests/samples", "tests/specs")
    for path in (PROJECT / folder).glob("*.md")
)


def headings(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def test_links_between_documents_lead_somewhere():
    assert len(DOCUMENTS) >= 40
    broken = []
    for paper in DOCUMENTS:
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", paper.read_text()):
            linked = paper.parent / target if target else paper
            if not linked.exists() or (anchor and anchor not in headings(linked)):
                broken.append(f"{paper.name}: {target}#{anchor}")
    assert broken == []


def test_production_refuses_what_is_unsafe():
    safe = {
        "database_url": "postgresql://db/x",
        "secret_key": "k" * 40,
        "env": "production",
        "public_url": "https://nps.example",
    }
    assert load_settings(_env_file=None, **safe).env == "production"
    for unsafe in (
        {"database_url": None},
        {"public_url": "http://nps.example"},
        {"secret_key": "short"},
        {"email_provider": "sendgrid"},
        {"local_platforms": True},
    ):
        with pytest.raises(AppError) as refused:
            load_settings(_env_file=None, **(safe | unsafe))
        assert "k" * 40 not in refused.value.detail


def test_logs_hold_no_address_no_key_and_no_link():
    line = "mail ana.b+x@shop.example at +491701234567 key tf_abc.def whsec_MfKQ9r8G= at /s/AQAAAAEBih6UGlRybZPKrnqB via postgresql://u:pw@db/x"
    shown = scrub(line)
    for secret in ("ana.b", "+4917", "abc.def", "MfKQ9", "AQAAAAEB", "pw@"):
        assert secret not in shown
