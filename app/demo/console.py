"""How a demo is told: lines on a terminal, one line of JSON elsewhere."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from app.demo.figures import percentile
from app.demo.play import Span


class Teller:
    """Tells the steps as they are done. Without a terminal it keeps quiet until the end."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._aloud = sys.stdout.isatty()

    def line(self, text: str, *, seconds: float | None = None, remark: str = "") -> None:
        """One step that was done, and how long it took."""
        if self._aloud:
            took = "" if seconds is None else f"[dim]{seconds:7.2f} s[/]"
            self._console.print(f"[green]✓[/] {text:<48}{took}  [dim]{remark}[/]".rstrip(), soft_wrap=True)

    def act(self, title: str, gained: Mapping[str, int], span: Span, *, seconds: float) -> None:
        """One act of the story: what it brought, and how quickly the doors answered."""
        parts = [f"{count:+d} {name.replace('_', ' ')}" for name, count in gained.items()]
        parts += [_door("webhooks", span.deliveries), _door("answers", span.answers)]
        self.line(title, seconds=seconds, remark=" · ".join(part for part in parts if part))

    def summary(self, told: Mapping[str, Any], links: Mapping[str, str | None]) -> None:
        """What it has come to, and where to look at it."""
        if not self._aloud:
            sys.stdout.write(orjson.dumps({**told, "links": links}).decode() + "\n")
            sys.stdout.flush()
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value in told.items():
            table.add_row(name.replace("_", " "), _shown(value))
        self._console.print()
        self._console.print(table)
        self._console.print()
        for name, link in links.items():
            if link:
                self._console.print(f"{name.replace('_', ' '):<16} {link}", soft_wrap=True)

    def close(self, text: str) -> None:
        """A last word."""
        if self._aloud:
            self._console.print(f"\n{text}", soft_wrap=True)


def _door(what: str, seconds: Sequence[float]) -> str:
    if not seconds:
        return ""
    ordered = sorted(seconds)
    return (
        f"{len(ordered)} {what} at p50 {_ms(percentile(ordered, 0.5))} p99 {_ms(percentile(ordered, 0.99))}"
    )


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "  ".join(f"{name} {_shown(part)}" for name, part in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
