"""Pure words and decisions of sending: what state a message is in and what an outcome makes of it."""

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
