"""Pure words and decisions of sending: what state a message is in and what an outcome makes of it."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from app.base.errors import Outcome, OutsideError
from app.brands.programme import Channel


class Template(StrEnum):
    """What can be sent."""

    survey = "survey"
    reminder = "reminder"
    offer = "offer"
    reward = "reward"


class Priority(StrEnum):
    """Urgent ones are claimed first: a promoter waits for them with the page open."""

    urgent = "urgent"
    normal = "normal"


def waits_for_day(template: Template, channel: Channel) -> bool:
    """Whether quiet hours hold for it: a question never comes at night, nor any text; an offer or reward may lie in the inbox."""
    return channel is Channel.sms or template in (Template.survey, Template.reminder)


class MessageStatus(StrEnum):
    """Where a message stands."""

    planned = "planned"
    sending = "sending"
    accepted = "accepted"
    delivered = "delivered"
    unknown = "unknown"
    failed = "failed"
    suppressed = "suppressed"
    cancelled = "cancelled"
    bounced = "bounced"
    complained = "complained"


class AttemptStatus(StrEnum):
    """Where one try to send stands."""

    sending = "sending"
    accepted = "accepted"
    refused = "refused"
    unknown = "unknown"


class ProviderEventKind(StrEnum):
    """What a provider reports about an attempt, in our words."""

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


_WEB_ADDRESS = re.compile(r"//|www\.|@|\w\.\w{2,}", re.IGNORECASE)


def is_name(text: str) -> bool:
    """Whether we greet somebody so. Web addresses entered as a name at a checkout would make our letters carry their link."""
    return not _WEB_ADDRESS.search(text)


MOST_REFUSALS = 10
"""A message refused this often has failed: by then some nine hours have gone by."""
MOST_UNKNOWNS = 2
"""After the second send of unknown outcome a person decides; a third would risk a third copy."""
OPTED_OUT = "opted_out"
"""The reason by which an adapter says that the carrier blocks texts to this number, since its owner said STOP."""
REVIEW = "review"
_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(hours=2)


def wait_after(refusals: int, retry_after: float | None) -> timedelta:
    """How long to wait after the n-th passing refusal: three times longer each time, and never less than the other side asked."""
    wait = min(_FIRST_WAIT * int(3 ** (refusals - 1)), _LONGEST_WAIT)
    return max(wait, timedelta(seconds=retry_after or 0))


@dataclass(frozen=True, slots=True)
class AttemptDecision:
    """What an attempt's outcome makes of attempt and message."""

    attempt: AttemptStatus
    message: MessageStatus
    reason: str | None = None
    wait: timedelta | None = None
    """Until the next try, for a message that is planned again."""


def decide_attempt(outcome: OutsideError | None, *, attempts: int, unknowns: int) -> AttemptDecision:
    """Judge one attempt, None being acceptance. `attempts` counts this one, `unknowns` the earlier ones whose outcome is unknown.

    A message of unknown outcome with a reason is sent no more.
    """
    if outcome is None:
        return AttemptDecision(AttemptStatus.accepted, MessageStatus.accepted)
    if outcome.outcome is Outcome.unknown:
        return AttemptDecision(
            AttemptStatus.unknown, MessageStatus.unknown, REVIEW if unknowns + 1 >= MOST_UNKNOWNS else None
        )
    if OPTED_OUT in outcome.reason:
        return AttemptDecision(AttemptStatus.refused, MessageStatus.suppressed, OPTED_OUT)
    refusals = attempts - unknowns
    if outcome.permanent or refusals >= MOST_REFUSALS:
        return AttemptDecision(AttemptStatus.refused, MessageStatus.failed, outcome.reason)
    return AttemptDecision(
        AttemptStatus.refused, MessageStatus.planned, wait=wait_after(refusals, outcome.retry_after)
    )
