"""`tenfold try`: one order through the real path of a running installation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.base.errors import AppError
from app.cli import console

if TYPE_CHECKING:
    from app.base.context import AppContext
    from app.cli.trial_path import TrialOrder, TrialResult


@console.cli.command("try")
def try_order(
    shop: Annotated[str, typer.Argument(help="The shop's slug.")],
    email: Annotated[str, typer.Option(help="Your own address, or another that you may write to.")],
    phone: Annotated[str | None, typer.Option(help="A phone number too, with the country's prefix.")] = None,
    score: Annotated[
        int | None, typer.Option(min=0, max=10, help="Answer the survey too; 9 or 10 gets a code.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Needed in production.")] = False,
    url: Annotated[
        str | None,
        typer.Option(help="Where Tenfold runs, if not at TENFOLD_PUBLIC_URL: http://127.0.0.1:8000."),
    ] = None,
) -> None:
    """Send one order through the real path: survey, and with --score answer and code.

    Its rows are marked as a trial: no figure, no budget, and nobody's newness knows of it.
    """
    from app.base.config import Environment, load_settings
    from app.cli import trial_path

    settings = load_settings()
    if settings.env is Environment.production and not yes:
        raise AppError("not_in_production", "In production this sends real messages; repeat it with --yes.")
    if url is not None and "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": url.rstrip("/")})
    order = trial_path.trial_order(shop, email, phone, score, url=url or settings.public_url)
    result = console.with_context(lambda context: _follow(context, order), settings=settings)
    if not sys.stdout.isatty():
        console.print_json(result.as_json())
    if not result.complete:
        raise SystemExit(1)


async def _follow(context: AppContext, order: TrialOrder) -> TrialResult:
    """Follow the order; on a terminal each decision is printed once it is made."""
    from app.cli.trial_path import follow

    result = await follow(context, order, print if sys.stdout.isatty() else _nothing)
    if sys.stdout.isatty():
        for name, link in result.links.items():
            print(f"{name.replace('_', ' '):<16} {link}")
    return result


def _nothing(_line: str) -> None:
    """Without a terminal there is one line of JSON at the end."""
