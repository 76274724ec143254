"""Commands that run processes: web, worker, both in one, all work that is due, the demo."""

from __future__ import annotations

import asyncio
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.base.errors import AppError
from app.cli import console

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import uvicorn

    from app.base.config import Settings
    from app.base.context import AppContext

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


def _prepare(settings: Settings, processes: int = 1) -> None:
    """Check that the database exists, is at head and has room for all connections."""
    from app.base.pools import check_connections

    async def check(context: AppContext) -> None:
        await check_connections(context.engine, settings.database_pool, processes=processes)

    console.with_context(check, settings=settings)


@console.cli.command()
def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run web server and worker together, for a small shop; upgrades the schema to head first."""
    from app.base.listener import listening

    settings = console.start(host=host, port=port)
    with listening(host, port) as listener:
        console.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket) -> None:
    from app.base import schema
    from app.base.db import WEB, WORKER
    from app.base.memory import tune_garbage_collector
    from app.base.pools import check_connections, serve_pools
    from app.base.secret_key import bind_key
    from app.cli.sockets import Listener
    from app.main import create_app
    from app.wiring import Parts, open_context, open_parts
    from app.worker import work

    web_pools, worker_pools = serve_pools(settings.database_pool)
    async with (
        open_parts(settings, pools=worker_pools, limits=WORKER) as parts,
        open_context(settings, pools=web_pools, limits=WEB) as context,
    ):
        await check_connections(parts.context.engine, settings.database_pool)
        await schema.migrate(parts.context.database_url)
        await bind_key(parts.context.engine, parts.context.tokens)
        tune_garbage_collector()
        stop = asyncio.Event()
        working = asyncio.create_task(work(parts, stop))
        server = Listener(_web_config(create_app(Parts(context, parts.providers))))
        console.print_note(f"Tenfold listens on {console.address_of(*listener.getsockname()[:2])}")
        await server.serve(sockets=[listener])
        stop.set()
        await working


def _web_config(app: Callable[..., Any] | str, *, workers: int = 1) -> uvicorn.Config:
    """The web server's configuration, for a bound socket; a name is that of a factory."""
    import uvicorn

    from app.base.http_protocol import BoundedProtocol

    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        http=BoundedProtocol,
        workers=workers,
        log_config=None,
        access_log=False,
    )


@console.cli.command()
def web(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Number of processes.")] = 1,
    host: Host = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Run the web server alone; any number of processes may share one PostgreSQL."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from app.base.listener import listening

    settings = console.start(host=host, port=port)
    with listening(host, port) as listener:
        _prepare(settings, workers)
        config = _web_config("app.main:create_app", workers=workers)
        if workers > 1:
            listener.set_inheritable(True)
            Multiprocess(config, sockets=[listener]).run()
            return
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        if not server.started:
            raise SystemExit(1)


@console.cli.command()
def worker(processes: Annotated[int, typer.Option(min=1, max=64, help="Number of processes.")] = 1) -> None:
    """Run the worker alone; any number of processes may share one PostgreSQL."""
    from app.worker import run_processes

    settings = console.start()
    _prepare(settings, processes)
    run_processes(processes)


@console.cli.command("run-due")
def run_due(
    now: Annotated[
        str | None, typer.Option(help="Work as if it were this time (ISO 8601 with zone).")
    ] = None,
) -> None:
    """Do all work that is due, until nothing is left; prints the number of items by kind."""
    import logging

    settings = console.start(level=logging.WARNING)
    from app.base.config import Environment

    if now is not None and settings.env is Environment.production:
        raise AppError("not_in_production", "In production --now cannot be used; leave it out.")
    moment = _moment(now)
    _prepare(settings)
    console.print_json(console.run(_run_due(settings, moment, simulated=now is not None)))


async def _run_due(settings: Settings, moment: datetime, *, simulated: bool) -> dict[str, int]:
    from app.base import due
    from app.base.db import WORKER
    from app.base.pools import Pools
    from app.wiring import open_parts
    from app.worker import sweeps_of

    pools = Pools(main=settings.database_pool)
    async with open_parts(settings, pools=pools, limits=WORKER) as parts:
        if not simulated:
            await due.discard_wake_ups(parts.context.sessions)
        return await due.run_until_idle(sweeps_of(parts), moment)


def _moment(text: str | None) -> datetime:
    from app.base import clock

    return clock.now() if text is None else console.read_moment(text, "2026-05-01T12:00:00Z")


@console.cli.command()
def demo(
    orders: Annotated[int, typer.Option(min=1, max=100_000, help="Number of orders of the demo shop.")] = 60,
    seed: Annotated[int, typer.Option(help="The same seed generates the same shop.")] = 1,
    port: Port = 8000,
    data: Annotated[
        Path | None, typer.Option(help="Replay real orders from this directory instead of generated ones.")
    ] = None,
    platform: Annotated[
        str,
        typer.Option(help="Where the generated shop sells: checkout, or a fake of shopify or woocommerce."),
    ] = "checkout",
    exit_after: Annotated[
        bool, typer.Option("--exit", help="Exit after the summary instead of serving.")
    ] = False,
) -> None:
    """Run the demo from orders to rewards in a home directory of its own, then serve its pages."""
    from app.demo import run as demo_run

    console.run(
        demo_run.run(orders=orders, seed=seed, port=port, data=data, stay=not exit_after, platform=platform)
    )
