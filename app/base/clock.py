"""The only module that reads the time; everywhere else `now` is an argument."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class _Shift:
    """How far `now` is from the wall clock: only the demo's process sets it."""

    by: timedelta = timedelta(0)


_SHIFT = _Shift()


def now() -> datetime:
    """The wall clock as an aware UTC time; in the demo the simulated one."""
    return datetime.now(UTC) + _SHIFT.by


def shift_to(moment: datetime | None) -> timedelta:
    """Let `now` go on from this moment, in this process; None: from the wall clock's time.

    Returns how far it is from the wall clock. For the demo alone.
    """
    _SHIFT.by = timedelta(0) if moment is None else moment - datetime.now(UTC)
    return _SHIFT.by


def monotonic() -> float:
    """Seconds on a clock that never goes back, for measuring how long something took."""
    return time.monotonic()
