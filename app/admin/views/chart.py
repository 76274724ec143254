"""A line with its band of uncertainty, as shapes of an SVG in two sizes. Pure.

Texts keep the page's size, so a narrow drawing is a drawing of its own and not a smaller one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LEFT, _RIGHT, _TOP, _BELOW = 40, 24, 16, 28
_LEAST_STEPS = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A value over a place of the axis; None leaves the place empty and breaks the line.

    `name` is the place's label, `spoken` what a screen reader says of the point. `low` and `high`
    are the band's edges there, both or neither.
    """

    name: str
    value: float | None
    shown: str
    spoken: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Dot:
    """A point as it is drawn."""

    x: float
    y: float
    shown: str
    spoken: str
    is_last: bool
    is_high: bool
    """Whether its text has no space above it and stands below."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A text beside an axis, with its place on it."""

    text: str
    at: float
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Drawing:
    """One size of the chart; `lines` and `bands` are interrupted where there is no value."""

    kind: str
    width: int
    height: int
    left: int
    right: int
    bottom: float
    zero: float | None
    lines: list[str]
    bands: list[str]
    dots: list[Dot]
    values: list[Tick]
    names: list[Tick]


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawings of one chart: `broad` for screens, `narrow` for phones."""

    drawings: tuple[Drawing, Drawing]


def line_chart(points: Sequence[Point], *, step: float = 25, width: int = 720) -> Chart | None:
    """The chart of these points; None where no point has a value.

    The axis runs over whole steps that hold every value and band, and over `_LEAST_STEPS` at least:
    a point or two that are close together must not look like far ones.
    """
    shown = [each for point in points for each in (point.value, point.low, point.high) if each is not None]
    if not any(point.value is not None for point in points):
        return None
    least, most = min(shown), max(shown)
    size = step if most - least <= 4 * step else 2 * step
    low, high = int(least // size * size), int(-(-most // size) * size)
    low, high = _widened(low, high, int(size))
    ticks = [low + place * int(size) for place in range(int((high - low) / size) + 1)]
    broad = _draw("broad", points, ticks, width, 280, names=6)
    return Chart((broad, _draw("narrow", points, ticks, 340, 230, names=3)))


def _widened(low: int, high: int, size: int) -> tuple[int, int]:
    """The ends of the axis, moved away from each other where they are too close: to 0 first."""
    while high - low < _LEAST_STEPS * size:
        if low > 0 or (high >= 100 and low > -100):
            low -= size
        else:
            high += size
    return low, high


def _draw(
    kind: str, points: Sequence[Point], ticks: Sequence[int], width: int, height: int, *, names: int
) -> Drawing:
    low, high, bottom = ticks[0], ticks[-1], height - _BELOW
    first, last = _LEFT + 12, width - _RIGHT
    span = max(1, len(points) - 1)

    def x(place: int) -> float:
        return round(first + (last - first) * place / span, 1) if len(points) > 1 else (first + last) / 2

    def y(value: float) -> float:
        return round(_TOP + (bottom - _TOP) * (high - value) / (high - low), 1)

    placed = [(x(place), point) for place, point in enumerate(points)]
    dots = [
        Dot(at, y(point.value), point.shown, point.spoken, is_last=False, is_high=y(point.value) < _TOP + 44)
        for at, point in placed
        if point.value is not None
    ]
    final = dots[-1]
    dots[-1] = Dot(final.x, final.y, final.shown, final.spoken, is_last=True, is_high=final.is_high)
    curves = [[(at, y(point.value or 0.0)) for at, point in run] for run in _runs(placed, banded=False)]
    return Drawing(
        kind=kind,
        width=width,
        height=height,
        left=_LEFT,
        right=width,
        bottom=bottom,
        zero=y(0) if low <= 0 <= high else None,
        lines=[_path(curve) for curve in curves if len(curve) > 1],
        bands=[_band(run, y) for run in _runs(placed, banded=True)],
        dots=dots,
        values=[Tick(f"{value}".replace("-", "\N{MINUS SIGN}"), y(value)) for value in ticks],
        names=_names(placed, names),
    )


_Placed = tuple[float, Point]
_Scale = Callable[[float], float]


def _runs(placed: Sequence[_Placed], *, banded: bool) -> list[list[_Placed]]:
    """Runs of neighbours that have a value, or a band."""
    runs: list[list[_Placed]] = [[]]
    for at, point in placed:
        if (point.low if banded else point.value) is not None:
            runs[-1].append((at, point))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _band(run: Sequence[_Placed], y: _Scale) -> str:
    """The outline of a run's band; that of a single point is a narrow bar."""
    upper = [(at, y(point.high or 0.0)) for at, point in run]
    lower = [(at, y(point.low or 0.0)) for at, point in reversed(run)]
    if len(run) == 1:
        (at, top), (_, bottom) = upper[0], lower[0]
        upper, lower = [(at - 6, top), (at + 6, top)], [(at + 6, bottom), (at - 6, bottom)]
    return _path([*upper, *lower]) + "z"


def _names(placed: Sequence[_Placed], most: int) -> list[Tick]:
    """Some of the names below the axis: at most this many, evenly spaced, the last one always."""
    every = -(-len(placed) // most)
    end = len(placed) - 1
    chosen = range(end % every, end + 1, every)
    return [
        Tick(placed[place][1].name, placed[place][0], "end" if place == end and end else "middle")
        for place in chosen
    ]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{at:g} {value:g}" for at, value in points)
