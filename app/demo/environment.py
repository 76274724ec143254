"""The demo's environment: a home directory, an empty database and a web server of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import uvicorn

from app.base.config import EmailProvider, Environment, Settings, SmsProvider, load_settings
from app.base.errors import AppError
from app.base.http_protocol import BoundedProtocol
from app.main import create_app
from app.wiring import Parts, database_url_of

HOME = Path(".tenfold-demo")
"""The directory of the demo's database, below the current one. `TENFOLD_HOME=.tenfold-demo tenfold
invariants` checks it."""
_ONE_DEMO = 0x7E4FDE40
"""Key of an advisory lock: a second demo in the same home would drop the tables of the first."""


def demo_settings(port: int, *, local_platforms: bool = False) -> Settings:
    """The demo's own settings: none of the installation's, and above all not its providers.

    With `local_platforms` shops may be connected to fakes on this machine.
    """
    return load_settings(
        _env_file=None,
        home=HOME,
        database_url=None,
        secret_key=None,
        env=Environment.development,
        public_url=f"http://127.0.0.1:{port}",
        email_provider=EmailProvider.outbox,
        sms_provider=SmsProvider.outbox,
        local_platforms=local_platforms,
    )


@asynccontextmanager
async def exclusive_database(settings: Settings) -> AsyncIterator[None]:
    """Empty the database and lock it for this demo alone while the block lasts.

    Raises `AppError` where another demo runs in the same home.
    """
    connection = await asyncpg.connect(database_url_of(settings))
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _ONE_DEMO):
            raise AppError("demo_runs", f"A demo is running in {HOME} already; stop it first.")
        await connection.execute("SET lock_timeout = '5s'")
        await connection.execute("DROP SCHEMA public CASCADE")
        await connection.execute("CREATE SCHEMA public")
        yield
    finally:
        await connection.close()


class _Server(uvicorn.Server):
    """Leaves the signals to the demo, which has more than this server to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(parts: Parts, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the real web application on a bound socket, in this process, while the block lasts."""
    server = _Server(
        uvicorn.Config(create_app(parts), http=BoundedProtocol, log_config=None, access_log=False)
    )
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():  # noqa: ASYNC110  # uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await running
