"""Limits guessing: failures count by caller and in all, in leaking buckets.

Counts live in the process: with several web processes each allows its own share, which only
multiplies a small number.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from app.base import clock

WINDOW_SECONDS = 600.0
_MOST_CALLERS = 20_000
"""How many callers are stored; the one without a failure for longest is dropped first, so a flood
cannot fill the memory."""


@dataclass(slots=True)
class _Bucket:
    level: float = 0.0
    at: float = 0.0

    def now_at(self, moment: float, most: int) -> float:
        """Return the level after what has leaked since; a full bucket is empty after one window."""
        return max(0.0, self.level - (moment - self.at) * most / WINDOW_SECONDS)


@dataclass(slots=True)
class FailureLimit:
    """Counts failures in leaking buckets that empty evenly over ten minutes.

    `is_limited` is checked before a caller is served, `record_failure` counts each failure. While
    all callers together are over the limit, only those without a failure of their own are still
    served: a flood cannot lock regular callers out, and each caller of the flood has one guess.
    """

    per_caller: int
    """Failures allowed for one caller in a window."""
    in_all: int
    """Failures allowed for all callers in a window; a flood from many stops here."""
    monotonic: Callable[[], float] = clock.monotonic
    _all: _Bucket = field(default_factory=_Bucket)
    _callers: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def is_limited(self, caller: str) -> bool:
        """Whether this caller has too many failures to be served now."""
        bucket = self._callers.get(caller)
        if bucket is None:
            return False
        moment = self.monotonic()
        flooded = self._all.now_at(moment, self.in_all) > self.in_all - 1
        own = bucket.now_at(moment, self.per_caller)
        return own > self.per_caller - 1 or (flooded and own > 0)

    def record_failure(self, caller: str) -> None:
        """Count one failure of this caller."""
        moment = self.monotonic()
        bucket = self._callers.pop(caller, None) or _Bucket()
        self._callers[caller] = bucket
        if len(self._callers) > _MOST_CALLERS:
            self._callers.popitem(last=False)
        for counted, most in ((bucket, self.per_caller), (self._all, self.in_all)):
            counted.level, counted.at = min(counted.now_at(moment, most) + 1, float(most)), moment

    @property
    def retry_after(self) -> int:
        """Seconds after which a limited caller may fail once more."""
        return math.ceil(WINDOW_SECONDS / self.per_caller)
