"""What all commands share: the command tree, the application context, output as JSON."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from app.base.errors import AppError
from app.base.months import YEARS
from app.base.text import quoted

if TYPE_CHECKING:
    from app.base.config import Settings
    from app.base.context import AppContext

T = TypeVar("T")

cli = typer.Typer(
    name="tenfold",
    help="Surveys after orders; promoters get a code for friends, and rewards for the friends' orders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
brand = typer.Typer(help="Brands, as customers know them.", no_args_is_help=True)
shop = typer.Typer(help="The shops of a brand.", no_args_is_help=True)
key = typer.Typer(help="API keys.", no_args_is_help=True)
staff = typer.Typer(help="The marketing team: who may use the dashboard.", no_args_is_help=True)
person = typer.Typer(help="One person's data.", no_args_is_help=True)
for name, group in (("brand", brand), ("shop", shop), ("key", key), ("staff", staff), ("person", person)):
    cli.add_typer(group, name=name)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop; raises AppError (`no_database`) for an unreachable database."""
    import asyncpg
    import uvloop
    from sqlalchemy.exc import DBAPIError

    from app.base.retry import sqlstate_of

    try:
        return uvloop.run(work)
    except (OSError, DBAPIError, asyncpg.PostgresError) as error:
        detail = _of_file(error) if isinstance(error, OSError) else _of_database(sqlstate_of(error))
        if detail is None:
            raise
        raise AppError("no_database", detail.replace("{kind}", type(error).__name__)) from error


_AWAY = "The database cannot be reached ({kind}); is TENFOLD_DATABASE_URL right, and the server up?"
_SENTENCES = {
    "53100": "The disk of the database is full; free some space on it.",
    "53300": "The database has no connection left; stop some processes, or raise its max_connections.",
    "08": _AWAY,
    "28": "The database refuses the user or the password in TENFOLD_DATABASE_URL.",
    "3D": "The database that TENFOLD_DATABASE_URL names does not exist; create it first.",
    "53": "The database has no resources left ({kind}); its own log has more.",
    "57": "The database is starting or shutting down; try again in a moment.",
}
"""What is wrong, by SQLSTATE or its class: none of it is a bug of ours."""


def _of_database(sqlstate: str) -> str | None:
    return next((text for start, text in _SENTENCES.items() if sqlstate and sqlstate.startswith(start)), None)


def _of_file(error: OSError) -> str | None:
    if error.errno == errno.EADDRINUSE:
        return None
    if error.errno == errno.ENOSPC:
        return f"The disk is full: {error.filename or 'nothing'} can be written."
    if error.filename is not None and error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"This user may not use {error.filename} ({error.strerror})."
    return _AWAY


def with_context(
    work: Callable[[AppContext], Awaitable[T]], *, settings: Settings | None = None, migrated: bool = True
) -> T:
    """Run `work` with the context of the settings, and return its result.

    With `migrated` the embedded database is upgraded to head first; for another one that is not at
    head it raises AppError (`schema_behind`), which names the command that upgrades it.
    """
    from app.base import schema
    from app.base.config import load_settings
    from app.base.db import COMMAND
    from app.base.pools import command_pools
    from app.base.secret_key import bind_key
    from app.wiring import open_context

    used = settings or load_settings()

    async def inner() -> T:
        pools = command_pools(used.database_pool)
        async with open_context(used, pools=pools, limits=COMMAND) as context:
            if migrated and not await schema.is_current(context.engine):
                if not used.embedded:
                    raise AppError("schema_behind", "The schema is not at head; run: tenfold migrate")
                await schema.migrate(context.database_url)
                await bind_key(context.engine, context.tokens)
            return await work(context)

    return run(inner())


def read_secret(name: str) -> str:
    """The first line of stdin, so that a secret is in no process list; asked for at a terminal.

    Raises AppError (`no_secret`) where there is none.
    """
    if sys.stdin.isatty():
        import getpass

        secret = getpass.getpass(f"{name}: ")
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise AppError("no_secret", f"No {name} came on stdin; pipe it in, one line.")
    return secret


def read_moment(text: str, example: str, zone: tzinfo | None = None) -> datetime:
    """The time that somebody entered, in UTC; one without a zone is in `zone`, None: refused.

    Raises AppError (`bad_time`), which shows the `example`.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise AppError("bad_time", f"{quoted(text)} is no time; write it as {example}.") from None
    if moment.tzinfo is None and zone is None:
        raise AppError("bad_time", f"Write the time with its zone, such as {example}.")
    if moment.year not in YEARS:
        raise AppError("bad_time", f"A time lies between the years {YEARS.start} and {YEARS.stop - 1}.")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def print_json(value: object) -> None:
    """One line of JSON on stdout."""
    import orjson

    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def print_note(text: str) -> None:
    """Print a line for a person: on stderr, so that stdout is the result alone."""
    print(text, file=sys.stderr, flush=True)


def start(*, level: int = 20, host: str = "127.0.0.1", port: int | None = None) -> Settings:
    """Read the settings and configure the logs (`level` as in `logging`, 20 being INFO).

    With a port, links lead there where `TENFOLD_PUBLIC_URL` is not set; this process's children
    inherit that.
    """
    from app.base.config import load_settings
    from app.base.log import configure_logs

    settings = load_settings()
    if port is not None and "public_url" not in settings.model_fields_set:
        os.environ["TENFOLD_PUBLIC_URL"] = address_of(host, port)
        settings = load_settings()
    configure_logs(settings.log_format, level=level)
    return settings


def address_of(host: str, port: int) -> str:
    """The address of a web process for a browser on this machine."""
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104  # all addresses of the machine, this one too
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
