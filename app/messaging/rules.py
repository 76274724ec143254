"""States of messages and attempts, and how an attempt's outcome changes them."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from app.base.errors import Fault, Outcome, OutsideError


class Priority(StrEnum):
    """Urgent messages are claimed first: a promoter waits for them with the page open."""

    urgent = "urgent"
    normal = "normal"


class MessageStatus(StrEnum):
    """State of a message."""

    planned = "planned"
    sending = "sending"
    accepted = "accepted"
    delivered = "delivered"
    unknown = "unknown"
    """It may have been sent or not. Without a reason it is sent once more after the grace."""
    review = "review"
    """Unknown for the last time: a person decides whether it is sent again."""
    failed = "failed"
    suppressed = "suppressed"
    cancelled = "cancelled"
    dismissed = "dismissed"
    """A person decided that it is not sent again."""
    bounced = "bounced"
    complained = "complained"


NORMAL_STATUSES = (
    MessageStatus.planned,
    MessageStatus.sending,
    MessageStatus.accepted,
    MessageStatus.delivered,
)
"""What a message goes through that is sent normally; `ix_messages_exceptions` holds all others."""


RESENDABLE_STATUSES = (
    MessageStatus.review,
    MessageStatus.failed,
    MessageStatus.accepted,
    MessageStatus.delivered,
    MessageStatus.bounced,
)
"""What a person may send again; an accepted or delivered message may be lost by the customer."""
DISMISSABLE_STATUSES = (MessageStatus.review, MessageStatus.failed)
"""What a person may decide not to send again."""


_NOT_RESENDABLE = {
    MessageStatus.planned: "This message waits to be sent; it is sent by itself.",
    MessageStatus.sending: "This message is being sent at this moment.",
    MessageStatus.unknown: (
        "It is not known yet whether this message was sent; it is sent once more by itself."
    ),
    MessageStatus.cancelled: "This message was cancelled{because} and is not sent again.",
    MessageStatus.suppressed: "This message may not be sent to the customer{because}.",
    MessageStatus.complained: "The customer reported this message as spam.",
    MessageStatus.dismissed: "A person has decided that this message is not sent again.",
}


def why_not_resendable(status: MessageStatus, reason: str | None) -> str:
    """Why a message in this state cannot be sent again, as a sentence."""
    if status is MessageStatus.unknown and reason is not None:
        status = MessageStatus.cancelled
    sentence = _NOT_RESENDABLE.get(status, f"This message is {status}.")
    return sentence.format(because=f" ({reason})" if reason else "")


class AttemptStatus(StrEnum):
    """State of one try to send."""

    sending = "sending"
    accepted = "accepted"
    refused = "refused"
    unknown = "unknown"


class ProviderEventKind(StrEnum):
    """What a provider reports about an attempt; adapters map their vendor's words to these."""

    accepted = "accepted"
    delivered = "delivered"
    deferred = "deferred"
    bounced = "bounced"
    blocked = "blocked"
    dropped = "dropped"
    complained = "complained"
    unsubscribed = "unsubscribed"
    failed = "failed"
    opened = "opened"
    clicked = "clicked"


class FailureCause(StrEnum):
    """Why an address cannot or must not be written to.

    Each provider's adapter maps its vendor's codes and phrases to these.
    """

    invalid_address = "invalid_address"
    """No such mailbox or telephone number."""
    recipient_opted_out = "recipient_opted_out"
    """The recipient replied STOP to the provider, which blocks further texts to them."""
    recipient_unsubscribed = "recipient_unsubscribed"
    recipient_complained = "recipient_complained"


class RecipientRefused(OutsideError):
    """A provider refused a message for good because of its address; `cause` names why."""

    def __init__(self, cause: FailureCause) -> None:
        super().__init__(Outcome.refused, cause.value, permanent=True)
        self.cause = cause


MOST_REFUSALS = 10
"""A message refused this often for a fault of its own has failed; that takes some nine hours."""
MOST_UNKNOWNS = 2
"""After the second send of unknown outcome a person decides; a third would risk a third copy."""
_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(hours=2)


def wait_after(refusals: int, retry_after: float | None) -> timedelta:
    """The wait after the n-th passing refusal.

    Three times longer each time, at least `retry_after` seconds.
    """
    wait = min(_FIRST_WAIT * int(3 ** (refusals - 1)), _LONGEST_WAIT)
    return max(wait, timedelta(seconds=retry_after or 0))


@dataclass(frozen=True, slots=True)
class AttemptDecision:
    """The states that an attempt's outcome gives to attempt and message."""

    attempt: AttemptStatus
    message: MessageStatus
    reason: str | None = None
    wait: timedelta | None = None
    """Until the next try, for a message that is planned again."""
    counts: bool = False
    """Whether this is a refusal that counts against the message."""


_ACCEPTED = AttemptDecision(AttemptStatus.accepted, MessageStatus.accepted)


def decide_attempt(outcome: OutsideError | None, *, refusals: int, unknowns: int) -> AttemptDecision:
    """Decide about one attempt; an `outcome` of None is acceptance.

    `refusals` and `unknowns` are the earlier ones of the message. A refusal whose cause is not the
    message, such as an outage or a rejected key, never fails it.
    """
    if outcome is None:
        return _ACCEPTED
    if outcome.outcome is Outcome.unknown:
        last = unknowns + 1 >= MOST_UNKNOWNS
        return AttemptDecision(AttemptStatus.unknown, MessageStatus.review if last else MessageStatus.unknown)
    if isinstance(outcome, RecipientRefused) and outcome.cause is FailureCause.recipient_opted_out:
        return AttemptDecision(AttemptStatus.refused, MessageStatus.suppressed, outcome.cause.value)
    if outcome.fault is not Fault.request:
        wait = wait_after(1, outcome.retry_after)
        return AttemptDecision(AttemptStatus.refused, MessageStatus.planned, wait=wait)
    if outcome.permanent or refusals + 1 >= MOST_REFUSALS:
        return AttemptDecision(AttemptStatus.refused, MessageStatus.failed, outcome.reason, counts=True)
    wait = wait_after(refusals + 1, outcome.retry_after)
    return AttemptDecision(AttemptStatus.refused, MessageStatus.planned, wait=wait, counts=True)
