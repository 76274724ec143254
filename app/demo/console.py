"""The demo's output: lines on a terminal, one line of JSON elsewhere."""

import os
import sys
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from app.demo.figures import percentile
from app.demo.runner import PhaseResult


class Reporter:
    """Prints the steps as they are done; without a terminal, nothing but the summary."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._terminal = sys.stdout.isatty()

    def line(self, text: str, *, seconds: float | None = None, remark: str = "") -> None:
        """One step that was done, and how long it took."""
        if self._terminal:
            took = "" if seconds is None else f"[dim]{seconds:7.2f} s[/]"
            self._console.print(f"[green]✓[/] {text:<48}{took}  [dim]{remark}[/]".rstrip(), soft_wrap=True)

    def phase(self, title: str, gained: Mapping[str, int], result: PhaseResult, *, seconds: float) -> None:
        """One phase: what changed, and how long the requests took."""
        parts = [f"{count:+d} {name.replace('_', ' ')}" for name, count in gained.items()]
        parts += [_durations("webhooks", result.deliveries), _durations("answers", result.responses)]
        self.line(title, seconds=seconds, remark=" · ".join(part for part in parts if part))

    def life(self, text: str) -> None:
        """How far one of the people came."""
        if self._terminal:
            self._console.print(f"  {text}", soft_wrap=True, style="cyan")

    def open_browser(self, link: str | None) -> None:
        """Open the link in the browser of who sits at the terminal, where there is a desktop."""
        has_desktop = sys.platform in {"darwin", "win32"} or any(
            os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
        )
        if link and self._terminal and has_desktop:
            # In a thread: some browsers return only when they are closed.
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    def summary(self, summary: Mapping[str, Any], links: Mapping[str, str | None]) -> None:
        """The final numbers and the links to open."""
        if not self._terminal:
            sys.stdout.write(orjson.dumps({**summary, "links": links}).decode() + "\n")
            sys.stdout.flush()
            return
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value in summary.items():
            table.add_row(name.replace("_", " "), _shown(value))
        self._console.print()
        self._console.print(table)
        self._console.print()
        for name, link in links.items():
            if link:
                self._console.print(f"{name.replace('_', ' '):<16} {link}", soft_wrap=True)

    def close(self, text: str) -> None:
        """A closing line, on a terminal alone."""
        if self._terminal:
            self._console.print(f"\n{text}", soft_wrap=True)


def _durations(what: str, seconds: Sequence[float]) -> str:
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
