"""The only module that reads the time; everywhere else `now` is an argument."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The wall clock as an aware UTC time."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back, for measuring how long something took."""
    return time.monotonic()
