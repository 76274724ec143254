"""A backup is restored, by real processes: nothing goes out again, erased people stay erased."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app.base.actor import cli_actor
from app.brands.programme import Channel
from app.customers.consent import suppress
from app.customers.rules import SuppressionReason
from app.ingest.erase import PersonToErase, erase_people
from tests.support.constants import NOW
from tests.support.factories.messages import queue

pytestmark = pytest.mark.slow(seconds=25)
TENFOLD = Path(sys.executable).parent / "tenfold"
MESSAGES = 40
RUN_DUE = ("run-due", "--now", NOW.isoformat())


@pytest.fixture
def processes(context, settings):
    """Runs commands over a database, in a home with one journal."""

    async def run(database: str, *words: str, code: int = 0) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "TENFOLD_DATABASE_URL": database,
            "TENFOLD_SECRET_KEY": settings.secret_key.get_secret_value(),
            "TENFOLD_HOME": str(settings.home),
        }
        done = await asyncio.to_thread(
            subprocess.run,
            [TENFOLD, *words],
            env=environment,
            cwd=settings.home,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    return run


async def on_server(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_nothing_goes_out_again_and_erased_people_stay_erased(
    context, brand, shop, server_url, databases, processes
):
    wanted = await queue(context, brand, shop, MESSAGES)
    await context.engine.dispose()
    await databases.leave()
    name = make_url(context.database_url).database
    copy = make_url(server_url).set(database=f"{name}_copy").render_as_string(hide_password=False)
    await on_server(server_url, f"CREATE DATABASE {name}_copy TEMPLATE {name} STRATEGY FILE_COPY")
    await processes(context.database_url, *RUN_DUE)
    assert await on_server(context.database_url, "SELECT count(*) FROM outbox") == MESSAGES
    async with context.sessions.begin() as session:
        await suppress(
            session,
            context.tokens,
            brand.id,
            Channel.email,
            [wanted[0].address],
            SuppressionReason.unsubscribed,
            now=NOW,
        )
        await erase_people(
            session,
            context.tokens,
            brand,
            {shop.id: shop},
            [PersonToErase(frozenset({wanted[1].customer_id}))],
            actor=cli_actor(brand.id),
            now=NOW,
        )
    await processes(context.database_url, *RUN_DUE)

    assert json.loads(await processes(copy, *RUN_DUE))["messages"] == 0
    assert "tenfold recover" in await processes(copy, "doctor", code=1)
    recovered = json.loads(await processes(copy, "recover"))
    assert (recovered["messages_sent"], recovered["people_erased"]) == (MESSAGES, 1)
    assert recovered["decide"] == []
    await processes(copy, *RUN_DUE)
    assert await on_server(copy, "SELECT count(*) FROM outbox") == 0, "nothing went out again"
    assert await on_server(copy, "SELECT count(*) FROM messages WHERE status = 'accepted'") == MESSAGES
    assert await on_server(copy, "SELECT count(*) FROM customers WHERE erased_at IS NOT NULL") == 1
    assert await on_server(copy, "SELECT count(*) FROM suppressions WHERE reason = 'unsubscribed'") == 1
    await processes(copy, "invariants")
    assert json.loads(await processes(copy, "recover"))["messages_sent"] == 0, "it may be repeated"
    await on_server(server_url, f"DROP DATABASE {name}_copy WITH (FORCE)")
