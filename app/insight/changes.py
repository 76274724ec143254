"""Whether a number changed by more than chance: counts of events, and rates. Pure.

Both compare two periods of equal length that do not overlap, by the normal approximation.
"""

from math import erfc, sqrt


def count_p(before: int, after: int) -> float:
    """The two-sided p of two counts of independent events; 1 where there is none.

    Given their sum, each event is as likely in either period: half a binomial, with Yates's
    correction.
    """
    whole = before + after
    if whole == 0:
        return 1.0
    z = max(0.0, abs(after - before) - 1) / sqrt(whole)
    return erfc(z / sqrt(2))


def rate_p(part_before: int, whole_before: int, part_after: int, whole_after: int) -> float:
    """The two-sided p of two rates by their pooled variance; 1 where one of them is not known."""
    if whole_before == 0 or whole_after == 0:
        return 1.0
    pooled = (part_before + part_after) / (whole_before + whole_after)
    variance = pooled * (1 - pooled) * (1 / whole_before + 1 / whole_after)
    if variance == 0:
        return 1.0
    z = (part_after / whole_after - part_before / whole_before) / sqrt(variance)
    return erfc(abs(z) / sqrt(2))
