"""The chart of the score over time: a line and the band of its interval, in a box of 100 by 100.

Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.insight.nps import ENOUGH, Counts, Interval, interval, nps
from app.insight.scores import Group

FEWEST = 5
"""Points of fewer responses are left out; the band begins at `nps.ENOUGH` responses."""
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
    shown = [_interval(counts) for run in runs for _, counts in run]
    least, most = min(each.low for each in shown), max(each.high for each in shown)
    # Whole steps, so that the ticks are evenly spaced from edge to edge; 100 is a multiple of both.
    step = _STEP if most - least <= 3 * _STEP else 2 * _STEP
    low, high = int(least // step * step), int(-(-most // step) * step)
    if low == high:
        low, high = (low, high + step) if low < 0 else (low - step, high)
    span = max(1, len(groups) - 1)

    def x(place: int) -> float:
        return round(100 * place / span, 2) if len(groups) > 1 else 50.0

    def y(value: float) -> float:
        return round(100 * (high - value) / (high - low), 2)

    lines, bands, dots = [], [], []
    for run in runs:
        points = [(x(place), y(nps(counts) or 0.0)) for place, counts in run]
        dots += points
        if len(run) > 1:
            lines.append(_path(points))
    for run in _runs(groups, ENOUGH):
        ends = [(x(place), _interval(counts)) for place, counts in run]
        upper = [(at, y(found.high)) for at, found in ends]
        lower = [(at, y(found.low)) for at, found in reversed(ends)]
        if len(run) == 1:
            # A single interval is drawn as a bar.
            (at, top), (_, bottom) = upper[0], lower[0]
            upper, lower = [(at - 1, top), (at + 1, top)], [(at + 1, bottom), (at - 1, bottom)]
        bands.append(_path([*upper, *lower]) + "Z")
    ticks = [(value, y(value)) for value in range(high, low - 1, -step)]
    return Chart(lines, bands, dots, ticks, groups[0].key or "", groups[-1].key or "")


def _interval(counts: Counts) -> Interval:
    """The interval of enough answers; of fewer the score alone."""
    found = interval(counts) if counts.responses >= ENOUGH else None
    score = nps(counts) or 0.0
    return found or Interval(score, score)


def _runs(groups: Sequence[Group], least: int = FEWEST) -> list[list[tuple[int, Counts]]]:
    """Runs of neighbouring groups with enough responses, each with its place in `groups`."""
    runs: list[list[tuple[int, Counts]]] = [[]]
    for place, group in enumerate(groups):
        if group.counts.responses >= least:
            runs[-1].append((place, group.counts))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{at:g} {value:g}" for at, value in points)
