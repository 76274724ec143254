"""The outcome for a publication after a call of the platform."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never
from uuid import UUID

from app.base.errors import Fault, Outcome, OutsideError
from app.brands.programme import DiscountKind
from app.platforms.discounts import Live, NotSent, Pending, PublishResult, Refused, Taken, Unknown
from app.referrals.amount_rules import amount_text
from app.referrals.rules import PublicationState

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=15)
REFUSED_WAIT = timedelta(hours=6)
"""What a shop refuses for good is tried again after this: somebody may have corrected it."""
REPLACED_AFTER = timedelta(seconds=10)
"""How long a code that nobody has seen may take to be live before another one takes its place."""
SOUGHT_TIMES = 6
"""Attempts after which a code that was sent, revoked and never seen in the shop counts as not
there: Shopify makes codes after it has responded."""


@dataclass(frozen=True, slots=True)
class NextState:
    """What is stored of a publication after an attempt."""

    state: PublicationState
    due_at: datetime | None = None
    remote_id: str | None = None
    job: str | None = None
    reason: str | None = None


def next_state(result: PublishResult, *, attempt: int, is_shown: bool, now: datetime) -> NextState:
    """The state after the result of publishing.

    `is_shown` is whether people know the code already. A taken code that nobody knows stays due:
    another one takes its place.
    """
    match result:
        case Live():
            return NextState(PublicationState.live, remote_id=result.remote_id)
        case Pending():
            due_at = now + timedelta(seconds=result.seconds)
            return NextState(PublicationState.sending, due_at, job=result.job)
        case Taken():
            return NextState(PublicationState.failed, None if is_shown else now, reason=result.reason)
        case Refused():
            return NextState(PublicationState.failed, reason=result.reason)
        case Unknown():
            return NextState(PublicationState.sending, now + wait_after(attempt), reason=result.reason)
        case NotSent():
            return NextState(PublicationState.wanted, now + wait_after(attempt), reason=result.reason)
        case _:
            assert_never(result)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after that many attempts in a row."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def wait_after_failure(error: OutsideError, attempts: int) -> timedelta:
    """How long to wait after that many attempts in a row, as the failure of the last one says."""
    wait = REFUSED_WAIT if error.permanent else wait_after(attempts)
    return max(wait, timedelta(seconds=error.retry_after or 0))


def result_of_failure(error: OutsideError) -> PublishResult:
    """What a failed call says about each of its codes."""
    return Unknown(error.reason) if error.outcome is Outcome.unknown else NotSent(error.reason)


def pause_after(error: OutsideError, failures: int) -> timedelta:
    """How long the whole shop is left alone after that many failed calls in a row."""
    if error.fault is Fault.busy:
        return timedelta(seconds=min(error.retry_after or 2.0, LONGEST_WAIT.total_seconds()))
    return max(wait_after(failures), timedelta(seconds=error.retry_after or 0.0))


def discount_title(kind: DiscountKind, value: Decimal, currency: str, terms_id: UUID) -> str:
    """The discount's name for the people who run the shop: `Tenfold: 10% for friends (3f2a9c)`."""
    amount = f"{value.normalize():f}%" if kind is DiscountKind.percent else amount_text(value, currency)
    return f"Tenfold: {amount} for friends ({terms_id.hex[:6]})"
