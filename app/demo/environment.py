"""The house a demo lives in: a home, an empty database and a web server of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import uvicorn

from app.base.config import EmailProvider, Environment, Settings, SmsProvider, load_settings
from app.base.errors import AppError
from app.main import create_app
from app.wiring import Parts, database_url_of

HOME = Path(".tenfold-demo")
"""Where the demo's database lies, below the present directory. `TENFOLD_HOME=.tenfold-demo tenfold invariants` looks at it."""
_ONE_DEMO = 0x7E4FDE40
"""Advisory lock: a second demo in the same home would pull the ground from under the first."""


def demo_settings(port: int) -> Settings:
    """Settings of the demo's own: nothing of the installation's, above all none of its providers."""
    return load_settings(
        _env_file=None,
        home=HOME,
        database_url=None,
        secret_key=None,
        env=Environment.development,
        public_url=f"http://127.0.0.1:{port}",
        email_provider=EmailProvider.outbox,
        sms_provider=SmsProvider.outbox,
    )


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket bound to the port, here alone; an `AppError` where it is taken."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            raise AppError("port_taken", f"Port {port} is taken; choose another one with --port.") from None
        yield listener


@asynccontextmanager
async def only_demo(settings: Settings) -> AsyncIterator[None]:
    """An empty database that is this demo's alone for as long as the block lasts."""
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
    """Leaves the signals to the demo, which has more than this server to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(parts: Parts, listener: socket.socket) -> AsyncIterator[None]:
    """The real web application at a bound socket, in this process, for as long as the block lasts."""
    server = _Server(uvicorn.Config(create_app(parts), log_config=None, access_log=False))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():  # noqa: ASYNC110  # uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await running
