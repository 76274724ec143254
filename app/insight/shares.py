"""Whether an offer changes how often promoters order: two shares with an interval. Pure."""

from dataclasses import dataclass
from math import sqrt

from app.insight.nps import ENOUGH, Interval, wilson


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some people did something."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """A fraction of 1; None of nobody."""
        return self.part / self.whole if self.whole else None


def difference(first: Share, second: Share) -> Interval | None:
    """The interval of `first` less `second`, as fractions of 1; None where one is of nobody.

    Newcombe's hybrid score interval (1998, method 10) of two independent shares.
    """
    one, other = wilson(first.part, first.whole), wilson(second.part, second.whole)
    if one is None or other is None:
        return None
    p, q = first.part / first.whole, second.part / second.whole
    low = p - q - sqrt((p - one.low) ** 2 + (other.high - q) ** 2)
    high = p - q + sqrt((one.high - p) ** 2 + (q - other.low) ** 2)
    return Interval(max(-1.0, low), min(1.0, high))


def are_enough(first: Share, second: Share) -> bool:
    """Whether both groups have enough people to say something."""
    return min(first.whole, second.whole) >= ENOUGH
