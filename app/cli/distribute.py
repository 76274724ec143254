"""The command that distributes the tables over several machines."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import console

if TYPE_CHECKING:
    from app.base.context import AppContext
    from app.base.distribute import Step


@console.cli.command()
def distribute(
    yes: Annotated[
        bool, typer.Option("--yes", help="Move the rows of a filled database too; no process may run.")
    ] = False,
) -> None:
    """Distribute the tables by brand, on a PostgreSQL with Citus; may be repeated.

    Prints how many tables and keys it changed.
    """
    from app.base.db import Base
    from app.base.distribute import Kind
    from app.base.distribute import distribute as run
    from app.models import PLACES

    async def work(context: AppContext) -> list[Step]:
        return await run(context.engine, Base.metadata, PLACES, filled_too=yes, report=_report)

    steps = console.with_context(work)
    counts = Counter(step.kind for step in steps)
    console.print_json(
        {
            "distributed": counts[Kind.distribute],
            "reference": counts[Kind.reference],
            "keys_added": counts[Kind.add_key],
            "settings": counts[Kind.setting],
        }
    )


def _report(step: Step) -> None:
    if sys.stdout.isatty():
        console.print_note(f"{step.kind.replace('_', ' ')}: {step.subject}")
