"""`tenfold import orders`: the orders that a shop had before, out of a file."""

from __future__ import annotations

import csv
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from app.base.errors import AppError
from app.cli import console
from app.platforms.order_files import FileFormat

if TYPE_CHECKING:
    from app.base.context import AppContext
    from app.ingest.import_orders import Progress
    from app.ingest.order_file import FileRecord, OrderFile

imports = typer.Typer(help="Bring in what a shop exported.", no_args_is_help=True)
console.cli.add_typer(imports, name="import")


@imports.callback()
def group() -> None:
    """Bring in what a shop exported."""


STDERR = Path("-")


class RefusalReport:
    """A table of what was refused, which is made once there is something: line and reason.

    The path `-` is stderr.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None

    def begin(self, *, resumed: bool) -> None:
        """Remove what another import left there."""
        if not resumed and self.path != STDERR:
            self.path.unlink(missing_ok=True)

    def add(self, record: FileRecord) -> None:
        """Write one refusal."""
        if self.path == STDERR:
            csv.writer(sys.stderr, lineterminator="\n").writerow((record.line, record.refused))
            return
        if self._file is None:
            is_new = not self.path.exists()
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(handle, "a", encoding="utf-8", newline="", buffering=1)
            if is_new:
                csv.writer(self._file).writerow(("line", "reason"))
        csv.writer(self._file).writerow((record.line, record.refused))

    def close(self) -> None:
        """Write what is left."""
        if self._file is not None:
            self._file.close()


@imports.command("orders")
def orders(
    file: Annotated[Path, typer.Argument(help="A CSV export, or one JSON object a line.")],
    shop: Annotated[str, typer.Option(help="The slug of the shop that they are of.")],
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="Who wrote the file; guessed where it is left out.")
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="They are from before the start: customers count as known, nobody gets a message.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Where to write what was refused, by line; `-` is stderr. Where it is left out, beside FILE as"
            " FILE.refused.csv, or in TENFOLD_HOME where FILE's folder cannot be written."
        ),
    ] = None,
) -> None:
    """Import orders from a file. The same file again changes nothing; after a crash it goes on.

    Prints how many orders were new, known, unpaid and refused.
    """
    from app.ingest.order_file import open_order_file

    opened = open_order_file(file, file_format)
    refusals = RefusalReport(_writable(report or _beside(file)))
    for note in opened.notes:
        console.print_note(note)
    began = time.monotonic()
    try:
        done = console.with_context(lambda context: _import(context, shop, opened, refusals, history=history))
    finally:
        refusals.close()
    if sys.stdout.isatty():
        print(f"\r{_line(done)}")
        if done.refused:
            print(f"What was refused, and why: {refusals.path}")
        return
    of_run = {"shop": shop, "format": opened.format, "history": history}
    console.print_json(of_run | _counts(done, refusals.path, time.monotonic() - began))


def _counts(done: Progress, report: Path, seconds: float) -> dict[str, object]:
    return {
        "records": done.records,
        "new": done.new,
        "known": done.known,
        "unpaid": done.unpaid,
        "refused": done.refused,
        "resumed_after": done.resumed_after,
        "report": str(report) if done.refused else None,
        "seconds": round(seconds, 1),
    }


def _writable(report: Path) -> Path:
    """The path. Raises `AppError` `bad_report` where nothing can be written there."""
    if report != STDERR and not os.access(report.parent, os.W_OK):
        raise AppError("bad_report", f"{report} cannot be written; choose another --report, or - for stderr.")
    return report


def _beside(file: Path) -> Path:
    """Where the report is by default: beside the file, else in the installation's home."""
    from app.base.config import load_settings

    path = file.with_name(f"{file.name}.refused.csv")
    if os.access(path.parent, os.W_OK):
        return path
    home = load_settings().home
    # What cannot be made there is told as what cannot be written.
    with suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
    return home / path.name


async def _import(
    context: AppContext, slug: str, file: OrderFile, refusals: RefusalReport, *, history: bool
) -> Progress:
    from app.base import clock
    from app.base.actor import cli_actor
    from app.brands import find
    from app.ingest.import_orders import import_orders

    async with context.sessions() as session:
        brand, shop = await find.require_shop(session, slug)
    return await import_orders(
        context,
        shop,
        file,
        history=history,
        actor=cli_actor(brand.id),
        now=clock.now(),
        refusals=refusals,
        progress=_show if sys.stdout.isatty() else _nothing,
    )


def _line(progress: Progress) -> str:
    return (
        f"{progress.share:4.0%}  {progress.new:,} new, {progress.known:,} known, {progress.unpaid:,} unpaid,"
        f" {progress.refused:,} refused"
    )


def _show(progress: Progress) -> None:
    print(f"\r{_line(progress)}", end="", flush=True)


def _nothing(_progress: Progress) -> None:
    """Without a terminal there is one line of JSON at the end."""
