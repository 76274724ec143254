"""The chart of the score over time: a line and the band of its interval, in a box of 100 by 100.

Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.insight.nps import Counts, interval, nps
from app.insight.scores import Group

FEWEST = 5
"""Points of fewer responses are left out: their intervals are too wide to show anything."""
_STEP = 25


@dataclass(frozen=True, slots=True)
class Chart:
    """Path data for SVG, and the texts beside the axes.

    `lines` and `bands` are interrupted where there is no point. `ticks` are values with their place
    on the vertical axis, `first` and `last` the ends of the horizontal one.
    """

    lines: list[str]
    bands: list[str]
    dots: list[tuple[float, float]]
    ticks: list[tuple[int, float]]
    first: str
    last: str


def line_chart(groups: Sequence[Group]) -> Chart | None:
    """The chart of these weeks or months; None where none of them has `FEWEST` responses."""
    runs = _runs(groups)
    if not runs:
        return None
    intervals = [found for run in runs for _, counts in run if (found := interval(counts))]
    least, most = min(found.low for found in intervals), max(found.high for found in intervals)
    # Whole steps, so that the ticks are evenly spaced from edge to edge; 100 is a multiple of both.
    step = _STEP if most - least <= 3 * _STEP else 2 * _STEP
    low, high = int(least // step * step), int(-(-most // step) * step)
    span = max(1, len(groups) - 1)

    def x(place: int) -> float:
        return round(100 * place / span, 2) if len(groups) > 1 else 50.0

    def y(value: float) -> float:
        return round(100 * (high - value) / (high - low), 2)

    lines, bands, dots = [], [], []
    for run in runs:
        points = [(x(place), y(nps(counts) or 0.0)) for place, counts in run]
        ends = [(x(place), found) for place, counts in run if (found := interval(counts))]
        upper = [(at, y(found.high)) for at, found in ends]
        lower = [(at, y(found.low)) for at, found in reversed(ends)]
        dots += points
        if len(run) > 1:
            lines.append(_path(points))
            bands.append(_path([*upper, *lower]) + "Z")
        else:
            # A single point has no line; its interval is drawn as a bar.
            (at, top), (_, bottom) = upper[0], lower[0]
            bands.append(_path([(at - 1, top), (at + 1, top), (at + 1, bottom), (at - 1, bottom)]) + "Z")
    ticks = [(value, y(value)) for value in range(high, low - 1, -step)]
    return Chart(lines, bands, dots, ticks, groups[0].key or "", groups[-1].key or "")


def _runs(groups: Sequence[Group]) -> list[list[tuple[int, Counts]]]:
    """Runs of neighbouring groups with enough responses, each with its place in `groups`."""
    runs: list[list[tuple[int, Counts]]] = [[]]
    for place, group in enumerate(groups):
        if group.counts.responses >= FEWEST:
            runs[-1].append((place, group.counts))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{at:g} {value:g}" for at, value in points)
