"""Pure words and decisions of sending: what state a message is in and what an outcome makes of it."""

import re
from enum import StrEnum


class Template(StrEnum):
    """What can be sent."""

    survey = "survey"
    reminder = "reminder"
    offer = "offer"
    reward = "reward"


class Lane(StrEnum):
    """Urgent ones are claimed first: a promoter waits for them with the page open."""

    urgent = "urgent"
    normal = "normal"


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


class ReceiptKind(StrEnum):
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


_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Controls, line and paragraph separators, lone surrogates, and marks that turn the direction of what follows."""


def printable(text: str, *, most: int = 200) -> str:
    """One line of at most `most` characters without control characters, whatever a shop told us.

    A line break in a name can so never begin another mail header; scripts of every direction and emoji stay as they are.
    """
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
