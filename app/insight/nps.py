"""The statistics of the Net Promoter Score. Pure.

Formulas: p = P/n, d = D/n, NPS = 100(p - d), Var = p + d - (p - d)². The interval is the adjusted
Wald of Rocks (2016), which adds three responses (¾ to the promoters, ¾ to the detractors) and keeps
its level even for few responses.
"""

from dataclasses import dataclass
from math import erfc, sqrt

LEVEL = 0.95
Z = 1.959964
"""The normal quantile of a two-sided 95 % interval."""
ENOUGH = 30
"""Answers from which on pages show an interval; that of fewer may exclude the plain score."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of responses in each band."""

    promoters: int = 0
    passives: int = 0
    detractors: int = 0

    @property
    def responses(self) -> int:
        """The responses of all bands."""
        return self.promoters + self.passives + self.detractors


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies with the probability `LEVEL`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between two periods that do not overlap.

    `points` is between the plain scores, `z` and the two-sided `p` between the adjusted ones: with
    p above 0.05 the change is within what chance alone brings about.
    """

    points: float
    z: float
    p: float

    @property
    def is_noise(self) -> bool:
        """Whether chance alone can explain it, at the 5 % level."""
        return self.p >= 1 - LEVEL


def nps(counts: Counts) -> float | None:
    """The plain score, -100 to 100; None without a response."""
    if counts.responses == 0:
        return None
    return 100 * (counts.promoters - counts.detractors) / counts.responses


def interval(counts: Counts) -> Interval | None:
    """The adjusted Wald interval of the score, clipped to ±100; None without a response."""
    if counts.responses == 0:
        return None
    middle, error = _adjusted(counts)
    return Interval(max(-100.0, middle - Z * error), min(100.0, middle + Z * error))


def change(before: Counts, after: Counts) -> Change | None:
    """The change of the score between two periods; None where one has no response."""
    first, second = nps(before), nps(after)
    if first is None or second is None:
        return None
    (middle_1, error_1), (middle_2, error_2) = _adjusted(before), _adjusted(after)
    z = (middle_2 - middle_1) / sqrt(error_1**2 + error_2**2)
    return Change(second - first, z, erfc(abs(z) / sqrt(2)))


def wilson(part: int, whole: int) -> Interval | None:
    """The Wilson interval of a rate as fractions of 1; None where `whole` is 0."""
    if whole == 0:
        return None
    rate = part / whole
    shrink = 1 + Z**2 / whole
    middle = (rate + Z**2 / (2 * whole)) / shrink
    half = Z * sqrt(rate * (1 - rate) / whole + Z**2 / (4 * whole**2)) / shrink
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def _adjusted(counts: Counts) -> tuple[float, float]:
    """Score and standard error with three responses added; the error is never 0."""
    whole = counts.responses + 3
    promoters, detractors = (counts.promoters + 0.75) / whole, (counts.detractors + 0.75) / whole
    variance = promoters + detractors - (promoters - detractors) ** 2
    return 100 * (promoters - detractors), 100 * sqrt(variance / whole)
