"""`tenfold shop connect`, `shop check`, `shop disconnect` and `doctor`, as a person runs them."""

import asyncio
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import structlog

from app.brands.rules import Platform
from app.cli import main
from app.demo.fakes.shopify.server import FakeShopify
from app.demo.fakes.shopify.state import FakeShop
from app.platforms.shopify.topics import TOPICS
from tests.support.factories.shops import make_shop
from tests.support.fake_shopify import client_credentials
from tests.support.fakes.name_server import name_server


@pytest.fixture
async def fake() -> AsyncIterator[FakeShopify]:
    async with FakeShopify(FakeShop("fern.myshopify.com", host="fern.example")) as fake:
        yield fake


@pytest.fixture
async def home(context, settings, brand) -> dict[str, str]:
    """The environment of commands, over the test's database with a shop of Shopify."""
    await make_shop(context, brand, Platform.shopify)
    return {
        "PATH": os.environ["PATH"],
        "TENFOLD_DATABASE_URL": context.database_url,
        "TENFOLD_SECRET_KEY": settings.secret_key.get_secret_value(),
        "TENFOLD_HOME": str(settings.home),
        "TENFOLD_PUBLIC_URL": "https://tenfold.example",
        "TENFOLD_LOCAL_PLATFORMS": "true",
    }


@dataclass
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


@pytest.fixture
def tenfold(monkeypatch, capsys) -> Callable[..., Awaitable[Done]]:
    """Run a command in a thread of this process, in whose loop the fake responds meanwhile."""

    async def run(environment: dict[str, str], *words: str, code: int = 0, stdin: str = "") -> Done:
        for name in [name for name in os.environ if name.startswith("TENFOLD_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(environment["TENFOLD_HOME"])
        monkeypatch.setattr(sys, "argv", ["tenfold", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        logs = structlog.get_config()
        ended = await asyncio.to_thread(exit_code)
        structlog.configure(**logs)
        done = Done(*capsys.readouterr())
        assert ended == code, done.stderr
        return done

    return run


def exit_code() -> int:
    """Run the command that `sys.argv` names."""
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)


async def test_a_shop_is_connected_checked_and_disconnected_by_commands(home, fake, tenfold):
    remote = fake.shops["fern.myshopify.com"]
    connection = client_credentials(fake, remote)
    credentials = json.dumps(dict(connection.credentials))
    connect = ("shop", "connect", "fern", "--account", connection.account)

    done = await tenfold(home, *connect, "--credentials-stdin", stdin=credentials)
    assert json.loads(done.stdout)["webhooks"] == list(TOPICS)
    assert "16 webhooks are registered, and nothing is missing." in done.stderr
    assert "privacy webhooks" in done.stderr
    assert fake.app.client_secret not in done.stdout + done.stderr

    remote.webhooks.popitem()
    examined = await tenfold(home, "doctor", code=1)
    assert "! Shop fern: 1 of 16 webhooks are not registered" in examined.stdout
    assert len(remote.webhooks) == len(TOPICS) - 1
    checked = await tenfold(home, "shop", "check", "fern")
    assert json.loads(checked.stdout)["problems"] == []
    assert len(remote.webhooks) == len(TOPICS)

    async with name_server() as zone:
        mailing = home | {
            "TENFOLD_EMAIL_PROVIDER": "sendgrid",
            "TENFOLD_SENDGRID_API_KEY": "SG.key",
            "TENFOLD_EMAIL_FROM": "hello@fern.example",
            "TENFOLD_DNS_SERVER": zone.address,
        }
        checked = await tenfold(mailing, "shop", "check", "fern", code=1)
        examined = await tenfold(mailing, "doctor", code=1)
        for text in (checked.stderr, examined.stdout):
            assert "! There is no DKIM key s1._domainkey.fern.example. Set: " in text
            assert 'Set: _dmarc.fern.example TXT "v=DMARC1; p=none' in text
        zone.refuses = True
        checked = await tenfold(mailing, "shop", "check", "fern")
        assert "The records of fern.example were not checked" in checked.stderr

    remote.currency = "USD"
    by_environment = home | {"TENFOLD_SHOP_CREDENTIALS": credentials}
    again = await tenfold(by_environment, "shop", "connect", "fern", code=1)
    assert "USD at Shopify and EUR here" in json.loads(again.stdout)["problems"][0]
    assert "! The shop's currency" in again.stderr

    gone = await tenfold(home, "shop", "disconnect", "fern")
    assert json.loads(gone.stdout) == {"shop": "fern", "webhooks_left": None}
    assert remote.webhooks == {}
    refused = await tenfold(home, "shop", "check", "fern", code=2)
    assert "is not connected" in refused.stderr


async def test_bad_input_is_one_sentence_and_quotes_no_credential(home, fake, tenfold):
    connection = client_credentials(fake, fake.shops["fern.myshopify.com"])
    connect = ("shop", "connect", "fern", "--account", connection.account)
    for words, stdin, expected in (
        (connect, "", "--credentials-stdin"),
        (("shop", "connect", "fern"), "", "--account acme.myshopify.com"),
        ((*connect, "--credentials-stdin"), "shpat_no_json", "JSON object"),
        (
            (*connect, "--credentials-stdin"),
            '{"access_token": "shpat_wrong"}',
            "does not accept the access token",
        ),
    ):
        refused = await tenfold(home, *words, code=2, stdin=stdin)
        assert expected in refused.stderr
        assert "shpat_" not in refused.stderr
        assert refused.stdout == ""
