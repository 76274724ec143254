"""Shopify's limit on calls: a bucket of points for each app and shop, which refills steadily.

A call costs points by what it asks for; one that costs more than the bucket holds is not done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

LEAST_WAIT = 0.1
"""Seconds; the bucket's numbers are rounded, so less would be throttled again."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many points were available at a time (`at`, seconds of any clock)."""

    available: float
    maximum: float
    rate: float
    """Points that come back each second."""
    at: float

    @classmethod
    def of(cls, extensions: object, at: float) -> Self | None:
        """Read a response's `extensions`; None where they name no bucket."""
        match extensions:
            case {
                "cost": {
                    "throttleStatus": {
                        "currentlyAvailable": int() | float() as available,
                        "maximumAvailable": int() | float() as maximum,
                        "restoreRate": int() | float() as rate,
                    }
                }
            } if rate > 0:
                return cls(float(available), float(maximum), float(rate), at)
        return None

    def seconds_until(self, cost: float, now: float) -> float:
        """How long to wait until a call of this cost is done; 0 for none.

        A call that costs more than the bucket can hold waits until it is full.
        """
        missing = min(cost, self.maximum) - self._available_at(now)
        return max(missing / self.rate, LEAST_WAIT) if missing > 0 else 0.0

    def after(self, cost: float, now: float) -> "Bucket":
        """The bucket once a call of this cost has begun, so that calls side by side share it."""
        return replace(self, available=self._available_at(now) - cost, at=now)

    def _available_at(self, now: float) -> float:
        return min(self.available + (now - self.at) * self.rate, self.maximum)


def requested_cost(extensions: object) -> float | None:
    """What a response says that its call may cost at most; None where it says nothing."""
    cost: Any = extensions.get("cost") if isinstance(extensions, Mapping) else None
    requested = cost.get("requestedQueryCost") if isinstance(cost, Mapping) else None
    return float(requested) if isinstance(requested, int | float) else None
