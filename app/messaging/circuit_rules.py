"""Pure decisions about a provider's circuit: when it opens, and when the provider is tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.base.errors import Fault, Outcome, OutsideError
from app.messaging.rules import RecipientRefused

MOST_FAILURES = 3
"""Failed calls in a row that open a circuit; a rejected key opens it at once."""
_FIRST_PROBE = timedelta(seconds=15)
_LONGEST_PROBE = timedelta(minutes=10)
PROBE_LEASE = timedelta(seconds=75)
"""No second test begins before this; a provider call takes at most 60 seconds."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known about a provider whose latest calls failed."""

    provider: str
    failures: int
    reason: str
    opened_at: datetime | None
    probe_at: datetime
    probes: int

    @property
    def is_open(self) -> bool:
        """Whether messages wait."""
        return self.opened_at is not None

    def may_probe(self, now: datetime) -> bool:
        """Whether a message may be sent now to test the provider.

        Before its opening the times are of another clock, as after a run at a simulated time.
        """
        return self.opened_at is not None and (self.probe_at <= now or now < self.opened_at)


@dataclass(frozen=True, slots=True)
class CallFailures:
    """Failed calls of one batch, none of which was the messages' own fault."""

    calls: int
    reason: str
    opens: bool
    """Whether the circuit opens however few calls failed."""


def works(results: Sequence[object]) -> bool:
    """Whether one of the results proves that the provider works.

    It does where it accepted a message or refused one for the message's own fault.
    """
    return any(
        not isinstance(result, OutsideError)
        or isinstance(result, RecipientRefused)
        or (result.outcome is Outcome.refused and result.fault is Fault.request)
        for result in results
    )


def call_failures(results: Sequence[object]) -> CallFailures | None:
    """The failed calls among the results of one batch; None where the provider is not at fault.

    Messages of one call share one result, the same object.
    """
    failed = {
        id(result): result
        for result in results
        if isinstance(result, OutsideError) and result.fault in (Fault.outage, Fault.access)
    }
    if not failed or works(results):
        return None
    rejected = [result for result in failed.values() if result.fault is Fault.access]
    reason = (rejected or list(failed.values()))[0].reason
    return CallFailures(len(failed), reason, opens=bool(rejected))


def probe_wait(probes: int) -> timedelta:
    """The wait until the next test, after this many failed ones: twice longer each time."""
    return min(_FIRST_PROBE * int(2 ** min(probes, 16)), _LONGEST_PROBE)
