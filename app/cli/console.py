"""What all commands share: the command tree, the application context, output as JSON."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from app.base.errors import AppError

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
        if isinstance(error, OSError) or sqlstate_of(error)[:2] in _AWAY:
            raise AppError(
                "no_database",
                f"The database cannot be reached ({type(error).__name__}); is TENFOLD_DATABASE_URL right?",
            ) from error
        raise


_AWAY = ("08", "28", "3D", "53", "57")
"""SQLSTATE classes of a server that is down, full or shutting down, or refuses the login."""


def with_context(
    work: Callable[[AppContext], Awaitable[T]], *, settings: Settings | None = None, migrated: bool = True
) -> T:
    """Run `work` with the context of the settings, and return its result.

    With `migrated` the embedded database is upgraded to head first; for another one that is not at
    head it raises AppError (`schema_behind`), which names the command that upgrades it.
    """
    from app.base import schema
    from app.base.config import load_settings
    from app.wiring import open_context

    used = settings or load_settings()

    async def inner() -> T:
        async with open_context(used, pool_size=4) as context:
            if migrated and not await schema.is_current(context.engine):
                if not used.embedded:
                    raise AppError("schema_behind", "The schema is not at head; run: tenfold migrate")
                await schema.migrate(context.database_url)
            return await work(context)

    return run(inner())


def print_json(value: object) -> None:
    """One line of JSON on stdout."""
    import orjson

    sys.stdout.write(orjson.dumps(value, default=str).decode() + "\n")


def print_note(text: str) -> None:
    """Print a line for a person: on stderr, so that stdout is the result alone."""
    print(text, file=sys.stderr, flush=True)


def start(*, level: int = 20) -> Settings:
    """Read the settings and configure the logs (`level` as in `logging`, 20 being INFO)."""
    from app.base.config import load_settings
    from app.base.log import configure_logs

    settings = load_settings()
    configure_logs(settings.log_format, level=level)
    return settings
