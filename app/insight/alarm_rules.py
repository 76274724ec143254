"""What a brand's team is warned of: the kinds of alarms and their limits. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class AlarmKind(StrEnum):
    """What is wrong."""

    no_surveys = "no_surveys"
    """No survey went out for some hours, though orders came that should have been surveyed."""
    pool_low = "pool_low"
    """A connected shop has few codes ready, so offers wait for the platform."""
    leaked_code = "leaked_code"
    """Codes are taken for leaked (see `leak_rules`), and nobody has decided about them."""
    held_long = "held_long"
    """Friends' orders have been in review for more than a week."""
    connection_broken = "connection_broken"
    circuit_open = "circuit_open"
    """An account at a provider fails, and nothing is sent by it."""
    deliveries_failed = "deliveries_failed"
    work_stopped = "work_stopped"
    """Something has been due for long, and nothing was processed or sent since."""


NO_SURVEY_HOURS = 48
"""The default of a brand's own setting."""
NO_SURVEY_LEAST, NO_SURVEY_MOST = 24, 336
FEWEST_SKIPPED = 5
"""Orders whose surveys are all skipped make an alarm from this number on."""
OVERDUE = timedelta(hours=6)
"""A planned survey is late when it is due for longer; quiet hours move the due time itself."""
STOPPED = timedelta(minutes=20)
"""A delivery or message waits for seconds where a worker runs."""
UNSENT = timedelta(hours=24)
"""A queued survey is late when it was queued longer ago; quiet hours last less than a day."""
POOL_LOW = 20
"""Codes ready in a shop; the pool is refilled from 150 down, so fewer means that it cannot be."""
POOL_GRACE = timedelta(hours=1)
"""A shop that was just connected, and new terms, get this long to fill the pool."""
HELD_LONG = timedelta(days=7)
CIRCUIT_GRACE = timedelta(minutes=10)
"""A provider that works again by then is no alarm."""
FAILED_WITHIN = timedelta(days=7)
"""Failed deliveries that were received longer ago are no alarm any more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong now.

    `kind` and `subject` name it: while both stay the same it is the same alarm.
    """

    kind: AlarmKind
    subject: str = ""
    """What it is about where there may be several: a shop's slug, or a provider."""
    shop_id: UUID | None = None
    count: int = 0
    since: datetime | None = None
    name: str = ""
    """Of the shop or the provider, for people; the hours of `no_surveys`."""
    detail: str = ""
    """The reason in words of ours, of a platform or of a provider."""
